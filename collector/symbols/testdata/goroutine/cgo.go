//go:build cgo

package main

import _ "runtime/cgo" // C code in the binary
