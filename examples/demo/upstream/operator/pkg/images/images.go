// Package images puts the images that the operator's environment names into the payload.
package images

import (
	"strings"
)

// prefixes: folder of kodata → prefix of the variables that speak of it.
var prefixes = map[string]string{
	"tekton-pipeline":   "IMAGE_PIPELINES_",
	"tekton-trigger":    "IMAGE_TRIGGERS_",
	"tekton-addon":      "IMAGE_ADDONS_",
	"tekton-pruner":     "IMAGE_PRUNER_",
	"pipelines-as-code": "IMAGE_PAC_",
}

// Overrides are images by key: the name of a container, or `arg_` and the name of an argument.
type Overrides map[string]string

// ForComponent reads the overrides of a folder of kodata from an environment (KEY=VALUE).
func ForComponent(folder string, environment []string) Overrides {
	overrides := Overrides{}
	prefix, known := prefixes[folder]
	for _, variable := range environment {
		name, image, _ := strings.Cut(variable, "=")
		if known && strings.HasPrefix(name, prefix) && image != "" {
			overrides[strings.ToLower(strings.TrimPrefix(name, prefix))] = image
		}
	}
	return overrides
}

// Apply changes the images of a workload in place: of containers and init containers by their names, and of arguments, both as
// `-name=image` and as `-name`, `image`. Whatever no override speaks of stays.
func (o Overrides) Apply(object map[string]any) {
	switch object["kind"] {
	case "Deployment", "StatefulSet", "DaemonSet", "Job":
	default:
		return
	}
	template, _ := at(object, "spec", "template", "spec").(map[string]any)
	for _, field := range []string{"initContainers", "containers"} {
		containers, _ := template[field].([]any)
		for _, element := range containers {
			if container, ok := element.(map[string]any); ok {
				o.container(container)
			}
		}
	}
}

func (o Overrides) container(container map[string]any) {
	name, _ := container["name"].(string)
	if image, ok := o[key("", name)]; ok {
		container["image"] = image
	}
	arguments, _ := container["args"].([]any)
	for i, element := range arguments {
		argument, _ := element.(string)
		name, _, joined := strings.Cut(argument, "=")
		image, ok := o[key("arg_", name)]
		switch {
		case !ok || !strings.HasPrefix(argument, "-"):
		case joined:
			arguments[i] = name + "=" + image
		case i+1 < len(arguments):
			arguments[i+1] = image
		}
	}
}

// key: `-entrypoint-image` is spoken of as arg__entrypoint_image.
func key(prefix, name string) string {
	return prefix + strings.ReplaceAll(strings.ToLower(name), "-", "_")
}

func at(object any, path ...string) any {
	for _, field := range path {
		fields, _ := object.(map[string]any)
		object = fields[field]
	}
	return object
}
