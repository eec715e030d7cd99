//go:build !cgo

package main

func cgoSteps() []step { return nil }
