// Package product says under which name the programs present themselves.
package product

// Name is what users see. Distributions change it.
const Name = "Tekton Pipelines"
