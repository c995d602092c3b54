package main

import (
	"strings"
	"testing"

	"github.com/tektoncd/pipeline/pkg/product"
)

func TestGreetingNamesTheProduct(t *testing.T) {
	if got := greeting(); !strings.Contains(got, product.Name) {
		t.Fatalf("greeting is %q", got)
	}
}
