package main

import "testing"

func TestReact(t *testing.T) {
	if got := react("push"); got != "run the pipelines for push" {
		t.Error(got)
	}
	if got := react("star"); got != "nothing to do" {
		t.Error(got)
	}
}
