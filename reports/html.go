package reports

import (
	"bufio"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
)

// assets are the parts of report.html: all of them end up inside of the one file.
//
//go:embed html
var assets embed.FS

// scripts and styles in the order in which the page has them.
func scripts() []string {
	return []string{"vendor/LICENSE", "vendor/uPlot.iife.min.js", "format.js", "theme.js", "table.js", "gauges.js", "packed.js", "flametree.js", "flames.js", "flamepanel.js", "start.js"}
}

func styles() []string { return []string{"vendor/uPlot.min.css", "report.css", "colors.css"} }

// HTML draws the report for a browser: one file that asks nobody for anything.
//
// Its policy (Content-Security-Policy) allows the one script and the one style that it has, by their hashes, and
// nothing else: no request, no inline handler, no frame. Names from profiled processes pass html/template, and
// reach the script as JSON only.
func HTML(w io.Writer, v *View, _ Options) error {
	p, err := newPage(v)
	if err != nil {
		return err
	}
	t, err := template.New("report.tmpl").Funcs(pageFuncs()).ParseFS(assets, "html/*.tmpl")
	if err != nil {
		return fmt.Errorf("parse report.tmpl: %w", err)
	}
	out := bufio.NewWriter(w)
	if err := t.Execute(out, p); err != nil {
		return err
	}
	return out.Flush()
}

// bundle joins assets into one text. A licence goes with what it is of, as a comment.
func bundle(names []string) (string, error) {
	var b strings.Builder
	for _, name := range names {
		data, err := assets.ReadFile("html/" + name)
		if err != nil {
			return "", fmt.Errorf("read asset: %w", err)
		}
		if strings.HasSuffix(name, "LICENSE") {
			data = slices.Concat([]byte("/*\n"), data, []byte("*/"))
		}
		b.Write(data)
		b.WriteByte('\n')
	}
	return b.String(), nil
}

// policy is what the browser may do with the page.
func policy(script, style string) string {
	return fmt.Sprintf("default-src 'none'; script-src '%s'; style-src '%s'; img-src data:; base-uri 'none'; form-action 'none'",
		hashSource(script), hashSource(style))
}

// hashSource names a text as a policy does.
func hashSource(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// pageFuncs are what the template can call. plain shows what is hidden or steers the direction of writing: names
// and errors of profiled processes pass it before html/template escapes them.
func pageFuncs() template.FuncMap {
	return template.FuncMap{
		"plain":    escapeTerminal,
		"sentence": sentence,
		"plural":   plural,
		"plural64": func(n int, noun string) string { return plural(int64(n), noun) },
		"duration": func(ns int64) string { return formatDuration(float64(ns)) },
		"set":      formatPlain,
		"bytes":    func(n int64) string { return formatBytes(float64(n)) },
		"trials":   trialNumbers,
	}
}

// sentence ends a text that is not a sentence yet.
func sentence(s string) string {
	s = escapeTerminal(s)
	if strings.HasSuffix(s, ".") || strings.HasSuffix(s, "…") {
		return s
	}
	return s + "."
}
