package main

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestReceiveAnswersWithTheIDOfTheEvent(t *testing.T) {
	for body, want := range map[string]int{`{"a":1}`: 202, `{`: 400} {
		recorder := httptest.NewRecorder()
		receive(recorder, httptest.NewRequest("POST", "/", strings.NewReader(body)))
		if recorder.Code != want {
			t.Errorf("%s: %d", body, recorder.Code)
		}
	}
}
