package wsman

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"twinlun/cim"
)

// Every fault with the code, subcode, action and number that Windows clients map
// to an error of their own.
func TestFaults(t *testing.T) {
	const wsmanNS, addressingNS = NSWSMan, NSAddressing
	for name, c := range map[string]struct {
		fault   *Fault
		code    Code
		space   string
		subcode string
		detail  string
		number  uint32
	}{
		"header":            {InvalidHeader("", "x"), Sender, addressingNS, "InvalidMessageInformationHeader", "", 2150858767},
		"timeout":           {InvalidHeader(DetailInvalidTimeout, "x"), Sender, addressingNS, "InvalidMessageInformationHeader", "InvalidTimeout", 2150858881},
		"required":          {HeaderRequired("x"), Sender, addressingNS, "MessageInformationHeaderRequired", "", 2150858769},
		"action":            {ActionNotSupported("", "x"), Sender, addressingNS, "ActionNotSupported", "", 2150858771},
		"mismatch":          {ActionNotSupported(DetailActionMismatch, "x"), Sender, addressingNS, "ActionNotSupported", "ActionMismatch", 2150858801},
		"resource":          {InvalidResourceURI("x"), Sender, addressingNS, "DestinationUnreachable", "InvalidResourceURI", 2150858752},
		"endpoint":          {EndpointUnavailable("x"), Receiver, addressingNS, "EndpointUnavailable", "", 2150858772},
		"access":            {AccessDenied("x"), Sender, wsmanNS, "AccessDenied", "", 5},
		"exists":            {AlreadyExists("x"), Sender, wsmanNS, "AlreadyExists", "", 2150858803},
		"filter":            {CannotProcessFilter("x"), Sender, NSEnumeration, "CannotProcessFilter", "", 2150858778},
		"concurrent":        {Concurrency("x"), Sender, wsmanNS, "Concurrency", "", 2150858802},
		"encoding":          {EncodingLimit("", "x"), Sender, wsmanNS, "EncodingLimit", "", 2150858805},
		"envelope":          {EncodingLimit(DetailMinimumEnvelope, "x"), Sender, wsmanNS, "EncodingLimit", "MinimumEnvelopeLimit", 2150858878},
		"exceeded":          {EncodingLimit(DetailMaxEnvelopeExceeded, "x"), Sender, wsmanNS, "EncodingLimit", "MaxEnvelopeSizeExceeded", 2150858824},
		"internal":          {InternalError(errors.New("x")), Receiver, wsmanNS, "InternalError", "", 1359},
		"options":           {InvalidOptions(DetailInvalidValue, "x"), Sender, wsmanNS, "InvalidOptions", "InvalidValue", 2150858835},
		"parameter":         {InvalidParameter(DetailInvalidName, "x"), Sender, wsmanNS, "InvalidParameter", "InvalidName", 2150858837},
		"value":             {InvalidParameter(DetailInvalidValue, "x"), Sender, wsmanNS, "InvalidParameter", "InvalidValue", 2150858810},
		"instance":          {InvalidRepresentation(DetailMissingValues, "x"), Sender, NSTransfer, "InvalidRepresentation", "MissingValues", 2150858839},
		"selectors":         {InvalidSelectors(DetailInsufficientSelectors, "x"), Sender, wsmanNS, "InvalidSelectors", "InsufficientSelectors", 2150858842},
		"no ack":            {NoAck("x"), Sender, wsmanNS, "NoAck", "", 2150858800},
		"quota":             {QuotaLimit("x"), Sender, wsmanNS, "QuotaLimit", "", 2150858815},
		"schema":            {SchemaValidationError("x"), Sender, wsmanNS, "SchemaValidationError", "", 2150858817},
		"timed out":         {TimedOut("x"), Receiver, wsmanNS, "TimedOut", "", 2150858793},
		"feature":           {UnsupportedFeature("", "x"), Sender, wsmanNS, "UnsupportedFeature", "", 2150858818},
		"fragment":          {UnsupportedFeature(DetailFragment, "x"), Sender, wsmanNS, "UnsupportedFeature", "FragmentLevelAccess", 2150858871},
		"fragment language": {FragmentDialectNotSupported("x"), Receiver, wsmanNS, "FragmentDialectNotSupported", "", 2150858896},
		"fragment path":     {CannotProcessFragment("x"), Sender, wsmanNS, "CannotProcessFilter", "", 2150858899},
		"context":           {InvalidEnumerationContext("x"), Receiver, NSEnumeration, "InvalidEnumerationContext", "", 2150858779},
		"dialect":           {FilterDialectUnavailable("x"), Sender, NSEnumeration, "FilterDialectRequestedUnavailable", "", 2150858777},
		"expires":           {EnumerationExpiration("x"), Sender, NSEnumeration, "InvalidExpirationTime", "", 2150858774},
		"pull":              {EnumerationTimedOut("x"), Receiver, NSEnumeration, "TimedOut", "", 2150858780},
		"mode":              {DeliveryModeUnavailable("x"), Sender, NSEventing, "DeliveryModeRequestedUnavailable", "", 2150858782},
		"until":             {SubscriptionExpiration("x"), Sender, NSEventing, "InvalidExpirationTime", "", 2150858783},
		"language":          {FilteringUnavailable("", "x"), Sender, NSEventing, "FilteringRequestedUnavailable", "", 2150858786},
		"no filter":         {FilteringUnavailable(DetailFiltering, "x"), Sender, NSEventing, "FilteringRequestedUnavailable", "FilteringRequired", 2150858831},
		"source":            {SourceUnableToProcess("x"), Receiver, NSEventing, "EventSourceUnableToProcess", "", 2150858787},
		"renew":             {UnableToRenew("x"), Receiver, NSEventing, "UnableToRenew", "", 2150858788},
		"message":           {InvalidEventMessage("x"), Sender, NSEventing, "InvalidMessage", "", 2150858789},
		"query":             {CannotProcessEventFilter("x"), Sender, wsmanNS, "CannotProcessFilter", "", 2150859042},
		"bookmark":          {InvalidBookmark("", "x"), Sender, wsmanNS, "InvalidBookmark", "", 2150858808},
		"too late":          {InvalidBookmark(DetailExpired, "x"), Sender, wsmanNS, "InvalidBookmark", "Expired", 2150858832},
		"authorize":         {UnsupportedFeature(DetailAuthorization, "x"), Sender, wsmanNS, "UnsupportedFeature", "AuthorizationMode", 2150858852},
		"addressing":        {UnsupportedFeature(DetailAddressingMode, "x"), Sender, wsmanNS, "UnsupportedFeature", "AddressingMode", 2150858870},
		"token":             {UnsupportedFeature(DetailSecurityToken, "x"), Sender, wsmanNS, "UnsupportedFeature", "FormatSecurityToken", 2150858867},
		"understand":        {NotUnderstood([]QName{{"a", "b"}}), MustUnderstand, "", "", "", 2150858768},
		"version":           {SOAPVersion("x"), VersionMismatch, "", "", "", 2150858765},
	} {
		f := c.fault
		require.Equal(t, c.code, f.Code, name)
		require.Equal(t, QName{c.space, c.subcode}, f.Subcode, name)
		require.Equal(t, c.detail, f.Detail[strings.LastIndexByte(f.Detail, '/')+1:], name)
		require.Equal(t, c.number, f.WSManCode, name)
		require.NotEmpty(t, f.Error(), name)
		switch c.space {
		case "", addressingNS:
			require.Equal(t, ActionFaultAddressing, f.Action, name)
		case wsmanNS:
			require.Equal(t, ActionFaultWSMan, f.Action, name)
		case NSEnumeration:
			require.Equal(t, ActionFaultEnumeration, f.Action, name)
		case NSEventing:
			require.Equal(t, ActionFaultEventing, f.Action, name)
		default:
			require.Equal(t, ActionFaultTransfer, f.Action, name)
		}
	}
}

func TestFaultCauses(t *testing.T) {
	cause := errors.New("secret")
	base := Failed("%d%%", 5)
	f := base.With(cause).WithCIM(&cim.Error{Status: cim.StatusNotFound, Msg: "gone"})
	require.Equal(t, "5%", f.Error())
	require.ErrorIs(t, f, cause)
	require.Equal(t, cim.StatusNotFound, cim.StatusOf(f))
	require.NotErrorIs(t, base, cause, "a copy")
	require.Equal(t, cim.StatusFailed, cim.StatusOf(base))
	require.Equal(t, "internal error", InternalError(cause).Error())
	require.Equal(t, "100% of it", QuotaLimit("100% of it").Error(), "no format without arguments")
}

func TestInternal(t *testing.T) {
	require.True(t, InternalError(errors.New("disk")).Internal())
	require.False(t, InvalidEnumerationContext("gone").Internal(), "a Receiver fault that the client caused")
}
