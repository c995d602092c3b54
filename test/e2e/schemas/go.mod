// Modules that carry the definitions of other people's kinds; nothing of them is built.
module tributary.dev/schemas

go 1.24.0

require (
	github.com/openshift/api v0.0.0-20260420151639-34e60874783e
	github.com/prometheus-operator/prometheus-operator v0.85.0
	knative.dev/serving v0.49.1
)
