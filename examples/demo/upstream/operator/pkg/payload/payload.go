// Package payload says which manifests of kodata are to be applied.
package payload

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tektoncd/operator/pkg/yaml"
)

// A Component is one folder of kodata.
type Component struct {
	// Name is that of the folder: tekton-pipeline.
	Name string
	// Version is the folder that counts, the highest; empty where none has a version for a name.
	Version string
	// Files are what is applied, in this order: first whatever has no version, such as 00-prereconcile/.
	Files []string
}

// Components reads the components of kodata, in the order of their names.
func Components(root string) ([]Component, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("read kodata: %w", err)
	}
	var components []Component
	for _, entry := range entries {
		if entry.IsDir() {
			component, err := read(root, entry.Name())
			if err != nil {
				return nil, err
			}
			components = append(components, component)
		}
	}
	return components, nil
}

func read(root, name string) (Component, error) {
	entries, err := os.ReadDir(filepath.Join(root, name))
	if err != nil {
		return Component{}, err
	}
	component := Component{Name: name}
	var highest version
	var paths []string
	for _, entry := range entries {
		found, versioned := parseVersion(entry.Name())
		switch {
		case !entry.IsDir() || !versioned:
			paths = append(paths, filepath.Join(root, name, entry.Name()))
		case component.Version == "" || found.compare(highest) > 0:
			component.Version, highest = entry.Name(), found
		}
	}
	if component.Version != "" {
		paths = append(paths, filepath.Join(root, name, component.Version))
	}
	for _, path := range paths {
		files, err := manifests(path)
		if err != nil {
			return Component{}, err
		}
		component.Files = append(component.Files, files...)
	}
	return component, nil
}

// manifests lists the manifests at or below a path, in lexical order.
func manifests(path string) (files []string, err error) {
	err = filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch strings.ToLower(filepath.Ext(file)) {
		case ".yaml", ".yml", ".json":
			if !entry.IsDir() {
				files = append(files, file)
			}
		}
		return nil
	})
	return files, err
}

// An Object is a Kubernetes object, as JSON has it.
type Object = map[string]any

// Objects reads the objects of a component. Lists are taken apart.
func (c Component) Objects() ([]Object, error) {
	var objects []Object
	for _, file := range c.Files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		documents, err := yaml.Parse(string(content))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, document := range documents {
			found, err := flatten(document)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			objects = append(objects, found...)
		}
	}
	return objects, nil
}

func flatten(document any) ([]Object, error) {
	object, ok := document.(Object)
	if !ok {
		return nil, fmt.Errorf("a document that is no object")
	}
	kind, _ := object["kind"].(string)
	items, isList := object["items"].([]any)
	if !strings.HasSuffix(kind, "List") || !isList {
		metadata, _ := object["metadata"].(Object)
		name, _ := metadata["name"].(string)
		apiVersion, _ := object["apiVersion"].(string)
		if kind == "" || apiVersion == "" || name == "" {
			return nil, fmt.Errorf("an object without apiVersion, kind or name")
		}
		return []Object{object}, nil
	}
	var objects []Object
	for _, item := range items {
		found, err := flatten(item)
		if err != nil {
			return nil, err
		}
		objects = append(objects, found...)
	}
	return objects, nil
}
