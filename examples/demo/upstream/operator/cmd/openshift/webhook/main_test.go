package main

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTellNamesTheComponents(t *testing.T) {
	recorder := httptest.NewRecorder()
	tell(recorder, "../operator/kodata")
	for _, want := range []string{"tekton-pipeline ", "tekton-trigger ", "pipelines-as-code "} {
		if !strings.Contains(recorder.Body.String(), want) {
			t.Errorf("%s is missing in %s", want, recorder.Body)
		}
	}
}
