module github.com/tektoncd/triggers

go 1.22
