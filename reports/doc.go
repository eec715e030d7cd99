// Package reports turns a recording into bytes: a table on a terminal, Markdown, JSON, CSV, benchstat lines,
// folded stacks, a flame graph. It needs no root, no kernel and no clock.
//
// The stage before is package recording. NewView computes everything once; each format is one function that
// draws a View and adds nothing to it. What a profiled process named is data: it passes through the escape
// function of its format.
package reports
