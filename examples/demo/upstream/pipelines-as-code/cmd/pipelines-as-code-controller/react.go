package main

// react says what is done about an event of a forge.
func react(event string) string {
	switch event {
	case "push", "pull_request":
		return "run the pipelines for " + event
	default:
		return "nothing to do"
	}
}
