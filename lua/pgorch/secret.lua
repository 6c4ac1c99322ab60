-- Secrets: values that can be passed on and joined (`"Bearer " .. token`), but never read, printed or stored.
return require "pgorch.native.secret"
