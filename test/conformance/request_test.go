package conformance

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// request is one file of testdata. Its lines are a word and what it says; a line that
// begins with a blank goes on with the one before. "#" begins what is for people.
//
//	resource, action   of the message, in the layout of the family
//	options, rest      header blocks, before and after those that all messages have
//	body               child of the Body
//	envelope           in place of the layout
//	target             path, where it is another
//	http               line of the HTTP header, in place of the one of that name
//	needs              a request that must have been sent before
//	flag               identify, bodiless (no envelope at all), utf16, or octets
//	                   (no envelope: in no character set)
//
// All other words are checks of the answer. Values are templates over message.
type request struct {
	name   string
	fields map[string][]string
	checks []check
}

// fieldNames are the words of requests that are no checks.
var fieldNames = []string{"resource", "action", "options", "rest", "body", "envelope", "target", "http", "needs", "flag"}

func (r *request) get(field string) string { return strings.Join(r.fields[field], "") }
func (r *request) is(flag string) bool     { return slices.Contains(r.fields["flag"], flag) }

// requests reads all files of the family, those that others need before them.
func (r *replay) requests(t *testing.T) []*request {
	t.Helper()
	files, err := filepath.Glob(r.folder() + "/*.req")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	all := map[string]*request{}
	var names []string
	for _, f := range files {
		rq := readRequest(t, f)
		all[rq.name] = rq
		names = append(names, rq.name)
	}
	slices.SortFunc(names, byNumber)
	var list []*request
	for _, n := range names {
		list = appendNeeded(t, list, all, n)
	}
	return list
}

// byNumber puts enum before enum.2.
func byNumber(a, b string) int {
	as, an := numbered(a)
	bs, bn := numbered(b)
	if as != bs {
		return strings.Compare(as, bs)
	}
	return an - bn
}

func numbered(name string) (stem string, number int) {
	stem, digits, _ := strings.Cut(name, ".")
	number, _ = strconv.Atoi(digits)
	return stem, number
}

// appendNeeded adds a request after those that it needs.
func appendNeeded(t *testing.T, list []*request, all map[string]*request, name string) []*request {
	t.Helper()
	rq := all[name]
	require.NotNil(t, rq, "there is no request %s", name)
	if slices.Contains(list, rq) {
		return list
	}
	for _, n := range rq.fields["needs"] {
		list = appendNeeded(t, list, all, n)
	}
	return append(list, rq)
}

func readRequest(t *testing.T, file string) *request {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	rq := &request{name: strings.TrimSuffix(filepath.Base(file), ".req"), fields: map[string][]string{}}
	for _, line := range joined(string(data)) {
		word, value, _ := strings.Cut(line, " ")
		value = strings.Trim(value, " ")
		if slices.Contains(fieldNames, word) {
			rq.fields[word] = append(rq.fields[word], value)
			continue
		}
		require.Contains(t, checkers, word, "%s: %s", file, line)
		rq.checks = append(rq.checks, check{word, value})
	}
	return rq
}

// joined are the lines of a file without what is for people. A line that begins with
// a tab goes on with the one before, on a line of its own.
func joined(text string) []string {
	var lines []string
	for _, l := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		switch more, isMore := strings.CutPrefix(l, "\t"); {
		case isMore && len(lines) > 0:
			lines[len(lines)-1] += "\n" + more
		case l != "" && l[0] != '#':
			lines = append(lines, l)
		}
	}
	return lines
}
