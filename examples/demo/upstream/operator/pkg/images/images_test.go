package images

import (
	"encoding/json"
	"testing"
)

func TestApplyChangesWhatOverridesSpeakOf(t *testing.T) {
	overrides := ForComponent("tekton-pipeline", []string{
		"IMAGE_PIPELINES_MY_CONTROLLER=new/controller", "IMAGE_PIPELINES_INIT=new/init", "IMAGE_PIPELINES_ARG__ENTRYPOINT_IMAGE=new/entrypoint",
		"IMAGE_PIPELINES_ARG___JOINED=new/joined", "IMAGE_PIPELINES_EMPTY=", "IMAGE_TRIGGERS_OTHER=wrong", "HOME=/", "IMAGE_PIPELINES_ARG__LAST=new/last",
	})
	for before, want := range map[string]string{
		`{"kind":"Deployment","spec":{"template":{"spec":{"containers":[{"args":["-entrypoint-image","old","--joined=old","-other","old","entrypoint-image","-last"],"image":"old","name":"my-controller"},{"image":"old","name":"other"},{"image":"old","name":"empty"}],"initContainers":[{"image":"old","name":"init"}]}}}}`: `{"kind":"Deployment","spec":{"template":{"spec":{"containers":[{"args":["-entrypoint-image","new/entrypoint","--joined=new/joined","-other","old","entrypoint-image","-last"],"image":"new/controller","name":"my-controller"},{"image":"old","name":"other"},{"image":"old","name":"empty"}],"initContainers":[{"image":"new/init","name":"init"}]}}}}`,
		`{"kind":"ConfigMap","spec":{"template":{"spec":{"containers":[{"image":"old","name":"init"}]}}}}`: `{"kind":"ConfigMap","spec":{"template":{"spec":{"containers":[{"image":"old","name":"init"}]}}}}`,
		`{"kind":"Deployment"}`: `{"kind":"Deployment"}`,
	} {
		var object map[string]any
		if err := json.Unmarshal([]byte(before), &object); err != nil {
			t.Fatal(err)
		}
		overrides.Apply(object)
		if got, _ := json.Marshal(object); string(got) != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
