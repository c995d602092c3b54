package main

import (
	"context"
	"errors"
	"testing"
)

func TestPart(t *testing.T) {
	for _, test := range []struct {
		only, except, component string
		want                    bool
	}{
		{"", "", "a", true}, {"a,b", "", "b", true}, {"a,b", "", "c", false}, {"", "a,b", "a", false}, {"", "a,b", "c", true},
	} {
		if got := part(test.only, test.except)(test.component); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

func TestUntilItWorksTriesAgain(t *testing.T) {
	attempts := 0
	untilItWorks(context.Background(), func(context.Context) error {
		attempts++
		if attempts < 2 {
			return errors.New("not yet")
		}
		return nil
	})
	if attempts != 2 {
		t.Errorf("%d attempts", attempts)
	}
}
