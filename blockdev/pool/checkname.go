package pool

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// namedVolumes is how many volumes the object of a problem names.
const namedVolumes = 8

// layer is what a layer is called, with the volumes that stand on it.
func (c *checker) layer(id string) string {
	var names []string
	for _, v := range c.volumes {
		seen := map[string]bool{}
		for at := v.Top; at != "" && c.layers[at] != nil && !seen[at]; at = c.layers[at].Parent {
			if seen[at] = true; at == id {
				names = append(names, strconv.Quote(v.Name))
				break
			}
		}
	}
	slices.Sort(names)
	out := "layer " + id
	if more := len(names) - namedVolumes; more > 0 {
		names = append(names[:namedVolumes], fmt.Sprintf("%d more", more))
	}
	if len(names) > 0 {
		out += " of " + strings.Join(names, ", ")
	}
	return out
}
