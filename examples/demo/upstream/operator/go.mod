module github.com/tektoncd/operator

go 1.22
