package main

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestValidateAdmitsWhatHasAName(t *testing.T) {
	for body, want := range map[string]string{
		`{"request":{"uid":"1","object":{"metadata":{"name":"a"}}}}`: `"allowed":true`,
		`{"request":{"uid":"2","object":{"metadata":{}}}}`:           `"allowed":false`,
		`nonsense`: "not an admission review",
	} {
		recorder := httptest.NewRecorder()
		validate(recorder, httptest.NewRequest("POST", "/validate", strings.NewReader(body)))
		if !strings.Contains(recorder.Body.String(), want) {
			t.Errorf("%s: %s", body, recorder.Body)
		}
	}
}
