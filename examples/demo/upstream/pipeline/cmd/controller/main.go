// Command controller is the main program of Tekton Pipelines.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"strings"

	"github.com/tektoncd/pipeline/pkg/revision"
	"github.com/tektoncd/pipeline/pkg/server"
)

func main() {
	listen := flag.String("listen", ":8080", "address to serve on")
	entrypoint := flag.String("entrypoint-image", "", "image that wraps the commands of steps")
	workingDirInit := flag.String("workingdirinit-image", "", "image that makes working directories")
	shell := flag.String("shell-image", "", "image with a shell")
	note := flag.String("note", "", "free text, shown as it is")
	flag.Parse()

	images := func() string {
		return strings.Join([]string{
			"entrypoint-image: " + *entrypoint,
			"workingdirinit-image: " + *workingDirInit,
			"shell-image: " + *shell,
		}, "\n")
	}
	fmt.Println(greeting())

	mux := http.NewServeMux()
	mux.Handle("/", server.Text(greeting))
	mux.Handle("/revision", server.Text(revision.Read))
	mux.Handle("/images", server.Text(images))
	mux.Handle("/note", server.Text(func() string { return *note }))
	server.Run(*listen, mux)
}
