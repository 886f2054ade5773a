package daemon

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"twinlun/blockdev/iscsi/initiator"
	"twinlun/cim"
)

const identify = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body>` +
	`<i:Identify xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"/></s:Body></s:Envelope>`

// A request that is under way when the daemon ends is answered; until then
// initiators reach their volumes and the daemon says that it is not ready.
func TestShutdownAnswersWhatIsUnderWay(t *testing.T) {
	r := start(t, config(t))
	_, target := r.createVolume(r.client(), "v")
	code, _ := r.get("/readyz")
	require.Equal(t, http.StatusOK, code)

	nc, err := net.Dial("tcp", r.Addresses().WSMan)
	require.NoError(t, err)
	defer nc.Close()
	half := len(identify) / 2
	_, err = fmt.Fprintf(nc, "POST /wsman-anon/identify HTTP/1.1\r\nHost: x\r\nContent-Type: application/soap+xml;charset=UTF-8\r\nContent-Length: %d\r\n\r\n%s",
		len(identify), identify[:half])
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, page := r.get("/metrics")
		return strings.Contains(page, "\ntwinlun_wsman_connections 2\n")
	}, time.Minute, time.Millisecond)

	r.cancel()
	require.Eventually(t, func() bool { code, _ := r.get("/readyz"); return code == http.StatusServiceUnavailable }, time.Minute, time.Millisecond)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	d, err := initiator.Dial(ctx, r.Addresses().ISCSI, target, initiator.Options{})
	require.NoError(t, err)
	defer d.Close()
	require.NoError(t, d.WriteAt(ctx, make([]byte, 4096), 0))

	_, err = nc.Write([]byte(identify[half:]))
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	r.stop()
	require.Error(t, d.Flush(ctx), "the session has ended")
}

// What was made is there after a restart, exposed as before.
func TestRestart(t *testing.T) {
	c := config(t)
	r := start(t, c)
	_, target := r.createVolume(r.client(), "v")
	r.stop()
	again := start(t, c)
	d, err := initiator.Dial(t.Context(), again.Addresses().ISCSI, target, initiator.Options{})
	require.NoError(t, err)
	require.Equal(t, int64(1<<20), d.Size())
	require.NoError(t, d.Close())
}

// Each change is one line: who, from where, what, on which objects, with which
// result.
func TestAudit(t *testing.T) {
	r := start(t, config(t))
	c := r.client()
	volume, _ := r.createVolume(c, "v")
	reply := r.invoke(c, "CIM_StorageConfigurationService", "ReturnToStoragePool", cim.Arg{Name: "TheElement", Value: volume})
	require.NotZero(t, reply.Return, "an exposed volume is in use")
	lines := r.log.lines(t, "audit")
	require.Len(t, lines, 3)
	for i, method := range []string{"CreateOrModifyElementFromStoragePool", "ExposeVolume", "ReturnToStoragePool"} {
		l := lines[i]
		require.Equal(t, method, l["method"])
		require.Equal(t, "admin", l["user"])
		require.Contains(t, l["remote"], "127.0.0.1:")
		require.NotEmpty(t, l["action"])
		require.NotEmpty(t, l["message"])
	}
	require.Contains(t, fmt.Sprint(lines[2]["objects"]), volume.Key("DeviceID"))
	require.NotEqual(t, lines[0]["result"], lines[2]["result"])
	require.NotEmpty(t, lines[2]["reason"])
}
