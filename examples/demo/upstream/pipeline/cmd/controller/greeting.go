package main

import "github.com/tektoncd/pipeline/pkg/product"

// greeting is what the controller says to whoever asks.
func greeting() string {
	return "Hello from the controller of " + product.Name + "."
}
