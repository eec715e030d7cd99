package recording

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"
)

const (
	docFile  = "../../docs/recording.md"
	docBegin = "<!-- The tables below are written by: go test ./collector/recording -run TestDocs -update -->\n"
)

// update is for people: go test -run TestDocs -update.
var update = flag.Bool("update", false, "write docs/recording.md")

// The tables of docs/recording.md come from the structs and their comments: they cannot drift apart.
func TestDocs(t *testing.T) {
	data, err := os.ReadFile(docFile)
	if err != nil {
		t.Fatal(err)
	}
	head, _, found := strings.Cut(string(data), docBegin)
	if !found {
		t.Fatalf("%s has lost the line %q", docFile, docBegin)
	}
	want := head + docBegin + docTables(t)
	if *update {
		if err := os.WriteFile(docFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(data) != want {
		t.Errorf("%s differs from the structs: go test ./collector/recording -run TestDocs -update", docFile)
	}
}

// docTables writes a table for each struct that run.json and a trial's file hold.
func docTables(t *testing.T) string {
	comments := structDocs(t)
	var b strings.Builder
	seen := map[reflect.Type]bool{}
	for _, file := range []struct {
		title string
		root  reflect.Type
	}{
		{"run.json", reflect.TypeFor[Run]()},
		{"trials/NNN.json.gz", reflect.TypeFor[Trial]()},
	} {
		fmt.Fprintf(&b, "\n## %s\n", file.title)
		queue := []reflect.Type{file.root}
		for len(queue) > 0 {
			current := queue[0]
			queue = queue[1:]
			if seen[current] {
				continue
			}
			seen[current] = true
			doc, ok := comments[current.Name()]
			if !ok {
				t.Fatalf("no source of %s", current)
			}
			fmt.Fprintf(&b, "\n### %s\n\n%s\n\n| field | type | meaning |\n|---|---|---|\n", current.Name(), doc.text)
			for i := range current.NumField() {
				field := current.Field(i)
				tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
				meaning := doc.fields[field.Name]
				if tag == "" || meaning == "" {
					t.Errorf("%s.%s has no JSON name or no comment", current.Name(), field.Name)
				}
				fmt.Fprintf(&b, "| `%s` | %s | %s |\n", tag, jsonType(field.Type), meaning)
				if next, ok := structOf(field.Type); ok {
					queue = append(queue, next)
				}
			}
		}
	}
	return b.String()
}

type structDoc struct {
	text   string
	fields map[string]string
}

// structDocs reads the comments of the package's structs.
func structDocs(t *testing.T) map[string]structDoc {
	t.Helper()
	docs := map[string]structDoc{}
	for _, name := range []string{"run.go", "trial.go", "evidence.go", "sched.go", "memory.go", "found.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.TYPE {
				continue
			}
			spec := gen.Specs[0].(*ast.TypeSpec)
			fields, ok := spec.Type.(*ast.StructType)
			if !ok {
				continue
			}
			doc := structDoc{oneLine(gen.Doc.Text()), map[string]string{}}
			for _, f := range fields.Fields.List {
				for _, name := range f.Names {
					doc.fields[name.Name] = strings.ReplaceAll(oneLine(f.Comment.Text()), "|", `\|`)
				}
			}
			docs[spec.Name.Name] = doc
		}
	}
	return docs
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// jsonType names a type as it stands in the file.
func jsonType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return jsonType(t.Elem()) + ", may be absent"
	case reflect.Slice:
		return "list of " + jsonType(t.Elem())
	case reflect.Map:
		return "object of " + jsonType(t.Elem()) + " by name"
	case reflect.Struct:
		if t.Name() == "Time" {
			return "RFC 3339 time"
		}
		return fmt.Sprintf("[%s](#%s)", t.Name(), strings.ToLower(t.Name()))
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float64:
		return "number"
	}
	return "integer"
}

// structOf is the struct of this package that a field holds.
func structOf(t reflect.Type) (reflect.Type, bool) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	return t, t.Kind() == reflect.Struct && t.PkgPath() == reflect.TypeFor[Run]().PkgPath()
}
