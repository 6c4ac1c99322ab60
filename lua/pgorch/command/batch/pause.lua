-- pgorch batch pause BATCH: no more rows begin; those that are begun go on to their end.

return require "pgorch.batch.switch" "pause"
