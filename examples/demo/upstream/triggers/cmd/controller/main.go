// Command controller is the main program of Tekton Triggers.
package main

import (
	"flag"
	"net/http"

	"github.com/tektoncd/triggers/pkg/server"
)

// banner is what the controller says to whoever asks.
const banner = "Triggers are ready."

func main() {
	listen := flag.String("listen", ":8080", "address to serve on")
	sink := flag.String("el-image", "", "image of the event listener's sink")
	flag.Parse()

	mux := http.NewServeMux()
	mux.Handle("/", server.Text(func() string { return banner }))
	mux.Handle("/images", server.Text(func() string { return "el-image: " + *sink }))
	server.Run(*listen, mux)
}
