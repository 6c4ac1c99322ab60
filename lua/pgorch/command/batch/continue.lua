-- pgorch batch continue BATCH: rows begin again after a pause, or after the batch has stopped by itself.

return require "pgorch.batch.switch" "continue"
