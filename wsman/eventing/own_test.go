package eventing

import (
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
	"twinlun/wsman"
)

// A subscription lives long; it does not keep the message that it began with.
func TestRequestHasMemoryOfItsOwn(t *testing.T) {
	message := strings.Repeat("select * from CIM_InstDeletion", 2)
	mark := message[:6]
	r := &Request{
		Namespace: "root/x", ResourceURI: message[7:8], Prefix: wsman.ClassPrefix, Mode: message[9:13], Query: cim.Query{Language: cim.LanguageWQL, Text: message[:30]},
		NotifyTo: &Endpoint{Address: message[14:], Blocks: []Block{{Local: "a", Text: message[30:], Children: []Block{{Local: "b"}}}}},
		Expires:  Expiry{After: time.Minute}, Heartbeat: time.Second, SendBookmarks: true, Bookmark: &mark, Retries: 3, RetryEvery: time.Hour, Oversize: Skip,
		Credentials: &Credentials{User: message[:3], Password: message[4:]},
	}
	own, err := r.own()
	require.NoError(t, err)
	require.Equal(t, r, own)
	for name, pair := range map[string][2]string{
		"query": {r.Query.Text, own.Query.Text}, "mode": {r.Mode, own.Mode}, "address": {r.NotifyTo.Address, own.NotifyTo.Address}, "resource": {r.ResourceURI, own.ResourceURI},
		"block": {r.NotifyTo.Blocks[0].Text, own.NotifyTo.Blocks[0].Text}, "bookmark": {*r.Bookmark, *own.Bookmark}, "password": {r.Credentials.Password, own.Credentials.Password},
	} {
		require.NotSame(t, unsafe.StringData(pair[0]), unsafe.StringData(pair[1]), name)
	}
}
