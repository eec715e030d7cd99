package reports

import (
	"fmt"
	"strings"
	"testing"
)

// A run may have more models than there are colors: marks differ by their dashes then, in lines and in print.
func TestMarksDiffer(t *testing.T) {
	v := &View{}
	for i := range 12 {
		v.Models = append(v.Models, Model{Name: fmt.Sprint("model", i)})
	}
	seen := map[string]string{}
	for i, m := range modelMarks(v) {
		look := m.Class + " " + m.Dashes()
		if other := seen[look]; other != "" {
			t.Errorf("%s and %s look the same: %s", m.Name, other, look)
		}
		seen[look] = m.Name
		if i > 0 && m.Dashes() == modelMarks(v)[i-1].Dashes() {
			t.Errorf("%s has the dashes of the model before it", m.Name)
		}
	}
	if css := string(asset(t, "colors.css")); strings.Count(css, "\n.m") != colorsOfModels || len(dashes()) != colorsOfModels {
		t.Errorf("colors.css and dashes have not %d of each", colorsOfModels)
	}
}

func asset(t *testing.T, name string) []byte {
	t.Helper()
	data, err := assets.ReadFile("html/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
