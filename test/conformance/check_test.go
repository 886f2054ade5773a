package conformance

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// check is what an answer must be like.
type check struct{ word, text string }

// checkers are the words of checks. A PATH is one of node.find, from the envelope.
//
//	answers               no fault; its Action is checked with the manners
//	fault SPACE:SUBCODE DETAIL CODE   a fault; DETAIL is "-" for none, CODE hexadecimal
//	status N              of HTTP
//	line NAME: VALUE      a line of the HTTP header
//	is PATH = VALUE       text of the first element there
//	has PATH = VALUE      text of one of the elements there
//	some PATH             there is one that is not empty
//	none PATH             there is none
//	count PATH = N        there are N
//	first PATH = NAME     the first of them has this local name
//	space PATH = URI      namespace of the first
//	keep NAME = PATH      its text is for later requests
//	empty PATH            there is one without children and text
var checkers = map[string]func(*testing.T, *replay, answer, string){
	"answers": checkAnswers, "fault": checkFault, "status": checkStatus, "line": checkLine, "is": checkIs, "has": checkHas,
	"some": checkSome, "none": checkNone, "count": checkCount, "first": checkFirst, "space": checkSpace, "keep": checkKeep, "empty": checkEmpty,
}

func (c check) check(t *testing.T, r *replay, a answer, text string) {
	t.Helper()
	checkers[c.word](t, r, a, text)
}

// halves are the two sides of a "=".
func halves(t *testing.T, text string) (left, right string) {
	t.Helper()
	left, right, ok := strings.Cut(text, " = ")
	require.True(t, ok, "%q has no =", text)
	return strings.TrimSpace(left), strings.TrimSpace(right)
}

func checkAnswers(t *testing.T, _ *replay, a answer, _ string) {
	t.Helper()
	require.Equal(t, 200, a.status)
	require.Len(t, a.envelope.children("Body"), 1)
	require.Empty(t, a.envelope.find("Fault"))
}

func checkFault(t *testing.T, _ *replay, a answer, text string) {
	t.Helper()
	var code, detail, number string
	_, err := fmt.Sscan(text, &code, &detail, &number)
	require.NoError(t, err, text)
	prefix, want, _ := strings.Cut(code, ":")
	space, local := a.subcode()
	require.Equal(t, want, local)
	require.Equal(t, spaces[prefix], space)
	if detail == "-" {
		detail = ""
	} else {
		detail = wsmanBase + "faultDetail/" + detail
	}
	require.Equal(t, detail, a.envelope.text("FaultDetail"))
	wanted, err := strconv.ParseUint(number, 0, 32)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint(wanted), a.envelope.find("WSManFault")[0].attr("Code"))
}

func checkStatus(t *testing.T, _ *replay, a answer, text string) {
	t.Helper()
	require.Equal(t, text, fmt.Sprint(a.status))
}

func checkLine(t *testing.T, _ *replay, a answer, text string) {
	t.Helper()
	name, value, _ := strings.Cut(text, ": ")
	require.Contains(t, a.header.Values(name), value)
}

func checkIs(t *testing.T, _ *replay, a answer, text string) {
	t.Helper()
	path, want := halves(t, text)
	require.NotEmpty(t, a.envelope.find(path), path)
	require.Equal(t, want, a.envelope.text(path), path)
}

func checkHas(t *testing.T, _ *replay, a answer, text string) {
	t.Helper()
	path, want := halves(t, text)
	require.Contains(t, a.envelope.texts(path), want, path)
}

func checkSome(t *testing.T, _ *replay, a answer, text string) {
	t.Helper()
	require.NotEmpty(t, a.envelope.text(text), text)
}

func checkNone(t *testing.T, _ *replay, a answer, text string) {
	t.Helper()
	require.Empty(t, a.envelope.find(text), text)
}

func checkCount(t *testing.T, _ *replay, a answer, text string) {
	t.Helper()
	path, want := halves(t, text)
	require.Equal(t, want, fmt.Sprint(len(a.envelope.find(path))), path)
}

func checkFirst(t *testing.T, _ *replay, a answer, text string) {
	t.Helper()
	path, want := halves(t, text)
	require.NotEmpty(t, a.envelope.find(path), path)
	require.Equal(t, want, a.envelope.find(path)[0].XMLName.Local)
}

func checkSpace(t *testing.T, _ *replay, a answer, text string) {
	t.Helper()
	path, want := halves(t, text)
	require.NotEmpty(t, a.envelope.find(path), path)
	require.Equal(t, want, a.envelope.find(path)[0].XMLName.Space)
}

func checkKeep(t *testing.T, r *replay, a answer, text string) {
	t.Helper()
	name, path := halves(t, text)
	require.NotEmpty(t, a.envelope.text(path), path)
	r.kept[name] = a.envelope.text(path)
}

func checkEmpty(t *testing.T, _ *replay, a answer, text string) {
	t.Helper()
	found := a.envelope.find(text)
	require.NotEmpty(t, found, text)
	require.Empty(t, found[0].Nodes)
	require.Empty(t, strings.TrimSpace(found[0].Text))
}
