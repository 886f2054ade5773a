package docs

import (
	"os"
	"path"
	"testing"

	"github.com/stretchr/testify/require"
)

// documents are those whose tables name tests.
var documents = []string{"conformance-dsp0226.md", "conformance-dsp0227.md", "divergences.md"}

func TestDocumentsAreTrue(t *testing.T) {
	root := os.DirFS("../..")
	tests, err := findTests(root)
	require.NoError(t, err)
	require.Greater(t, len(tests), 300, "this is not the module")
	decisions, err := os.ReadFile("../../docs/decisions.md")
	require.NoError(t, err)
	c := checker{tests: tests, decisions: titles(string(decisions)), files: root}
	require.Greater(t, len(c.decisions), 20)
	for _, name := range documents {
		text, err := os.ReadFile(path.Join("../../docs", name))
		require.NoError(t, err)
		require.Empty(t, c.check(name, string(text)))
	}
}
