package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"twinlun/cim"
)

// Messages as a client of the Windows family writes them (DSP0226, DSP0227).
const (
	schemaURI   = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/"
	transferGet = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get"
	enumeration = "http://schemas.xmlsoap.org/ws/2004/09/enumeration/"
	identify    = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"><s:Header/><s:Body><i:Identify/></s:Body></s:Envelope>`
	envelope    = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"><s:Header><a:To>http://127.0.0.1/wsman</a:To><w:ResourceURI s:mustUnderstand="true">%s</w:ResourceURI><a:ReplyTo><a:Address s:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo><a:Action s:mustUnderstand="true">%s</a:Action><w:MaxEnvelopeSize s:mustUnderstand="true">512000</w:MaxEnvelopeSize><a:MessageID>uuid:%s</a:MessageID><w:Locale xml:lang="en-US" s:mustUnderstand="false"/><p:DataLocale xml:lang="en-US" s:mustUnderstand="false"/><w:OperationTimeout>PT60.000S</w:OperationTimeout><w:SelectorSet><w:Selector Name="__cimnamespace">` + namespace + `</w:Selector>%s</w:SelectorSet></s:Header><s:Body>%s</s:Body></s:Envelope>`
)

// message writes a request about a class, or about an instance of it.
func message(action, class string, keys []cim.Key, body string) []byte {
	return fmt.Appendf(nil, envelope, schemaURI+class, action, messageID(), selectors(keys), body)
}

func selectors(keys []cim.Key) string {
	var s strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&s, `<w:Selector Name="%s">%v</w:Selector>`, k.Name, k.Value)
	}
	return s.String()
}

// messageID is a new UUID, random (RFC 9562 section 5.4).
func messageID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it does not fail, see there
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%X-%X-%X-%X-%X", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func identifyOnce(w *wire) (int, error) {
	_, err := w.send([]byte(identify))
	return 0, err
}

// getOnce reads one instance.
func getOnce(p *cim.Path) operation {
	return func(w *wire) (int, error) {
		_, err := w.send(message(transferGet, "CIM_StorageVolume", p.Keys, ""))
		return 1, err
	}
}

// invokeOnce calls a method that only answers.
func invokeOnce(w *wire) (int, error) {
	const class, method = "CIM_ReplicationServiceCapabilities", "GetSupportedFeatures"
	body := `<m:` + method + `_INPUT xmlns:m="` + schemaURI + class + `"><m:ReplicationType>2</m:ReplicationType></m:` + method + `_INPUT>`
	answer, err := w.send(message(schemaURI+class+"/"+method, class, nil, body))
	if err == nil && !bytes.Contains(answer, []byte("ReturnValue>0<")) {
		err = fmt.Errorf("%s did not return 0: %.400s", method, answer)
	}
	return 0, err
}

// enumerateOnce reads all volumes: Enumerate, and Pulls of a hundred.
func enumerateOnce(want int) operation {
	return func(w *wire) (int, error) {
		got := 0
		answer, err := w.send(message(enumeration+"Enumerate", "CIM_StorageVolume", nil, "<n:Enumerate/>"))
		for {
			if err != nil {
				return got, err
			}
			got += countVolumes(answer)
			if isLast(answer) {
				break
			}
			var id string
			if id, err = contextOf(answer); err == nil {
				answer, err = w.send(pullMessage(id))
			}
		}
		if got != want {
			return got, fmt.Errorf("%d instances came, not %d", got, want)
		}
		return got, nil
	}
}

// pullMessage asks for the next hundred instances.
func pullMessage(id string) []byte {
	return message(enumeration+"Pull", "CIM_StorageVolume", nil,
		"<n:Pull><n:EnumerationContext>"+id+"</n:EnumerationContext><n:MaxElements>100</n:MaxElements></n:Pull>")
}

func countVolumes(answer []byte) int { return bytes.Count(answer, []byte("DeviceID>")) / 2 }

func isLast(answer []byte) bool { return bytes.Contains(answer, []byte("EndOfSequence")) }

// associatedOnce reads what is associated with a volume: at least its system and
// its pool.
func associatedOnce(p *cim.Path) operation {
	body := `<n:Enumerate xmlns:b="http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd"><w:OptimizeEnumeration/><w:MaxElements>100</w:MaxElements>` +
		`<w:Filter Dialect="http://schemas.dmtf.org/wbem/wsman/1/cimbinding/associationFilter"><b:AssociatedInstances><b:Object>` +
		`<a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address><a:ReferenceParameters><w:ResourceURI>` +
		schemaURI + `CIM_StorageVolume</w:ResourceURI><w:SelectorSet>` + selectors(p.Keys) + `</w:SelectorSet></a:ReferenceParameters>` +
		`</b:Object></b:AssociatedInstances></w:Filter></n:Enumerate>`
	return func(w *wire) (int, error) {
		answer, err := w.send(message(enumeration+"Enumerate", "*", nil, body))
		found := bytes.Count(answer, []byte("_Type\""))
		if err == nil && (found < 2 || !isLast(answer)) {
			err = fmt.Errorf("%d associated instances: %.400s", found, answer)
		}
		return found, err
	}
}

// contextOf is the enumeration context that an answer has.
func contextOf(answer []byte) (string, error) {
	_, rest, _ := bytes.Cut(answer, []byte("EnumerationContext"))
	_, rest, _ = bytes.Cut(rest, []byte(">"))
	id, _, found := bytes.Cut(rest, []byte("<"))
	if !found || len(id) == 0 {
		return "", errors.New("an enumeration without a context")
	}
	return string(id), nil
}
