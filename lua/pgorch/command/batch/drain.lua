-- pgorch batch drain BATCH: no more rows begin; once those at work are at their end, the batch is paused.

return require "pgorch.batch.switch" "drain"
