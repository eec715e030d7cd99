module goroutine

go 1.20
