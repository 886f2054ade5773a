package wsman

// Details of the faults that have several (DSP0226 section 14), the last part of
// the URI in w:FaultDetail.
const (
	DetailURILimit            = "URILimitExceeded"
	DetailMinimumEnvelope     = "MinimumEnvelopeLimit"
	DetailMaxEnvelopeSize     = "MaxEnvelopeSize"
	DetailMaxEnvelopeExceeded = "MaxEnvelopeSizeExceeded"
	DetailServiceEnvelope     = "ServiceEnvelopeLimit"
	DetailSelectorLimit       = "SelectorLimit"
	DetailOptionLimit         = "OptionLimit"
	DetailCharacterSet        = "CharacterSet"
	DetailEncodingType        = "EncodingType"

	DetailInsufficientSelectors = "InsufficientSelectors"
	DetailUnexpectedSelectors   = "UnexpectedSelectors"
	DetailAmbiguousSelectors    = "AmbiguousSelectors"
	DetailDuplicateSelectors    = "DuplicateSelectors"

	DetailTypeMismatch = "TypeMismatch" // of selectors and parameters
	DetailInvalidName  = "InvalidName"  // of parameters and options
	DetailInvalidValue = "InvalidValue" // of selectors, parameters and options

	DetailInvalidValues    = "InvalidValues"
	DetailMissingValues    = "MissingValues"
	DetailInvalidNamespace = "InvalidNamespace"
	DetailInvalidFragment  = "InvalidFragment"

	DetailActionMismatch   = "ActionMismatch"
	DetailInvalidTimeout   = "InvalidTimeout"
	DetailInvalidResource  = "InvalidResourceURI"
	DetailOptionsSupported = "NotSupported"

	DetailAck              = "Ack"
	DetailAddressingMode   = "AddressingMode"
	DetailOperationTimeout = "OperationTimeout"
	DetailLocale           = "Locale"
	DetailEnumerationMode  = "EnumerationMode"
	DetailExpirationTime   = "ExpirationTime"
	DetailFragment         = "FragmentLevelAccess"
	DetailDeliveryRetries  = "DeliveryRetries"
	DetailHeartbeats       = "Heartbeats"
	DetailBookmarks        = "Bookmarks"
	DetailMaxElements      = "MaxElements"
	DetailMaxTime          = "MaxTime"
	DetailMaxEnvelope      = "MaxEnvelopeSize"
	DetailEnvelopePolicy   = "MaxEnvelopePolicy"
	DetailFiltering        = "FilteringRequired"
	DetailInsecureAddress  = "InsecureAddress"
	DetailFormatMismatch   = "FormatMismatch"
	DetailAuthorization    = "AuthorizationMode"
	DetailSecurityToken    = "FormatSecurityToken"

	DetailExpired = "Expired" // of bookmarks
)

// Numbers of faults, as Windows has them (ERROR_WSMAN_* of winerror.h). The ones
// with a detail are found by it; unknown details have the number of the subcode.
const (
	codeResourceNotFound = 0x80338000
	codeAccessDenied     = 5
	codeInternalError    = 1359
)

// detailed finds the number of a fault by its detail.
func detailed(numbers map[string]uint32, detail string, otherwise uint32) uint32 {
	if n, ok := numbers[detail]; ok {
		return n
	}
	return otherwise
}

func encodingNumbers() map[string]uint32 {
	return map[string]uint32{
		DetailURILimit: 0x8033802D, DetailMinimumEnvelope: 0x8033807E, DetailMaxEnvelopeSize: 0x80338047,
		DetailMaxEnvelopeExceeded: 0x80338048, DetailServiceEnvelope: 0x80338049, DetailSelectorLimit: 0x8033804A,
		DetailOptionLimit: 0x8033804B, DetailCharacterSet: 0x8033804C, DetailEncodingType: 0x8033802C,
	}
}

func selectorNumbers() map[string]uint32 {
	return map[string]uint32{
		DetailInsufficientSelectors: 0x8033805A, DetailUnexpectedSelectors: 0x8033805B, DetailTypeMismatch: 0x8033805C,
		DetailInvalidValue: 0x8033805D, DetailAmbiguousSelectors: 0x8033805E, DetailDuplicateSelectors: 0x8033805F,
	}
}

func representationNumbers() map[string]uint32 {
	return map[string]uint32{
		DetailInvalidValues: 0x80338056, DetailMissingValues: 0x80338057,
		DetailInvalidNamespace: 0x80338058, DetailInvalidFragment: 0x80338059,
	}
}

func featureNumbers() map[string]uint32 {
	return map[string]uint32{
		DetailAck: 0x80338065, DetailOperationTimeout: 0x80338066, DetailLocale: 0x80338067, DetailExpirationTime: 0x80338068,
		DetailDeliveryRetries: 0x80338069, DetailHeartbeats: 0x8033806A, DetailBookmarks: 0x8033806B, DetailMaxTime: 0x8033806D,
		DetailMaxEnvelope: 0x8033806E, DetailEnvelopePolicy: 0x8033806F, DetailFiltering: 0x80338070,
		DetailInsecureAddress: 0x80338071, DetailFormatMismatch: 0x80338072, DetailFragment: 0x80338077,
		DetailMaxElements: 0x8033811D, DetailInvalidResource: 0x80338138, DetailEnumerationMode: 0x80338086,
		DetailAuthorization: 0x80338064, DetailAddressingMode: 0x80338076, DetailSecurityToken: 0x80338073,
	}
}

// InvalidHeader is InvalidMessageInformationHeader: a header cannot be understood.
func InvalidHeader(detail, format string, args ...any) *Fault {
	n := detailed(map[string]uint32{DetailInvalidTimeout: 0x80338081}, detail, 0x8033800F)
	return addressing("InvalidMessageInformationHeader", detail, n).fault(format, args)
}

// HeaderRequired is MessageInformationHeaderRequired: a header is missing.
func HeaderRequired(format string, args ...any) *Fault {
	return addressing("MessageInformationHeaderRequired", "", 0x80338011).fault(format, args)
}

// ActionNotSupported refuses an action, or with DetailActionMismatch one that does
// not go with the resource.
func ActionNotSupported(detail, format string, args ...any) *Fault {
	n := detailed(map[string]uint32{DetailActionMismatch: 0x80338031}, detail, 0x80338013)
	return addressing("ActionNotSupported", detail, n).fault(format, args)
}

// InvalidResourceURI is DestinationUnreachable for a URI, class or instance that
// does not exist.
func InvalidResourceURI(format string, args ...any) *Fault {
	return addressing("DestinationUnreachable", DetailInvalidResource, codeResourceNotFound).fault(format, args)
}

// EndpointUnavailable says that the service cannot take the request now.
func EndpointUnavailable(format string, args ...any) *Fault {
	return addressing("EndpointUnavailable", "", 0x80338014).receiver().fault(format, args)
}

// AccessDenied refuses what the user may not do.
func AccessDenied(format string, args ...any) *Fault {
	return management("AccessDenied", "", codeAccessDenied).fault(format, args)
}

// AlreadyExists refuses to create what is there.
func AlreadyExists(format string, args ...any) *Fault {
	return management("AlreadyExists", "", 0x80338033).fault(format, args)
}

// Concurrency refuses what something else under way excludes.
func Concurrency(format string, args ...any) *Fault {
	return management("Concurrency", "", 0x80338032).fault(format, args)
}

// EncodingLimit refuses a message that is too large or cannot be read.
func EncodingLimit(detail, format string, args ...any) *Fault {
	return management("EncodingLimit", detail, detailed(encodingNumbers(), detail, 0x80338035)).fault(format, args)
}

// InternalError hides a failure of the service. It says so and no more.
func InternalError(err error) *Fault {
	return management("InternalError", "", codeInternalError).receiver().fault("internal error", nil).With(err)
}

// Internal says whether the service itself has failed, and not a request.
func (f *Fault) Internal() bool { return f.WSManCode == codeInternalError }

// Failed is InternalError with words for the client: a failed operation for which
// there is no better fault.
func Failed(format string, args ...any) *Fault {
	return management("InternalError", "", codeInternalError).receiver().fault(format, args)
}

// InvalidOptions refuses the options of a request.
func InvalidOptions(detail, format string, args ...any) *Fault {
	n := map[string]uint32{DetailOptionsSupported: 0x80338051, DetailInvalidName: 0x80338052, DetailInvalidValue: 0x80338053}
	return management("InvalidOptions", detail, detailed(n, detail, 0x80338039)).fault(format, args)
}

// InvalidParameter refuses a parameter of a method.
func InvalidParameter(detail, format string, args ...any) *Fault {
	n := map[string]uint32{DetailTypeMismatch: 0x80338054, DetailInvalidName: 0x80338055}
	return management("InvalidParameter", detail, detailed(n, detail, 0x8033803A)).fault(format, args)
}

// InvalidRepresentation refuses an instance that a client sent.
func InvalidRepresentation(detail, format string, args ...any) *Fault {
	n := detailed(representationNumbers(), detail, 0x80338015)
	return row{Sender, NSTransfer, "InvalidRepresentation", ActionFaultTransfer, detail, n}.fault(format, args)
}

// InvalidSelectors refuses the selectors of a request or of an EPR.
func InvalidSelectors(detail, format string, args ...any) *Fault {
	return management("InvalidSelectors", detail, detailed(selectorNumbers(), detail, 0x8033803D)).fault(format, args)
}

// NoAck is for an acknowledgement that did not come.
func NoAck(format string, args ...any) *Fault {
	return management("NoAck", "", 0x80338030).fault(format, args)
}

// QuotaLimit refuses what would be more than a user may have.
func QuotaLimit(format string, args ...any) *Fault {
	return management("QuotaLimit", "", 0x8033803F).fault(format, args)
}

// SchemaValidationError refuses XML that is not the message it should be.
func SchemaValidationError(format string, args ...any) *Fault {
	return management("SchemaValidationError", "", 0x80338041).fault(format, args)
}

// TimedOut says that the time the client gave is over.
func TimedOut(format string, args ...any) *Fault {
	return management("TimedOut", "", 0x80338029).receiver().fault(format, args)
}

// UnsupportedFeature refuses what is not served.
func UnsupportedFeature(detail, format string, args ...any) *Fault {
	return management("UnsupportedFeature", detail, detailed(featureNumbers(), detail, 0x80338042)).fault(format, args)
}

// InvalidEnumerationContext says that a context is unknown, finished or expired.
func InvalidEnumerationContext(format string, args ...any) *Fault {
	return enumeration("InvalidEnumerationContext", 0x8033801B).receiver().fault(format, args)
}

// CannotProcessFilter refuses the filter of an enumeration that is wrong or too
// much.
func CannotProcessFilter(format string, args ...any) *Fault {
	return enumeration("CannotProcessFilter", 0x8033801A).fault(format, args)
}

// FilterDialectUnavailable is FilterDialectRequestedUnavailable.
func FilterDialectUnavailable(format string, args ...any) *Fault {
	return enumeration("FilterDialectRequestedUnavailable", 0x80338019).fault(format, args)
}

// PolymorphismUnsupported is PolymorphismModeNotSupported (DSP0227): a mode that is
// unknown, or means nothing for what is enumerated.
func PolymorphismUnsupported(format string, args ...any) *Fault {
	return row{Receiver, NSBinding, "PolymorphismModeNotSupported", ActionFaultWSMan, "", 0x80338137}.fault(format, args)
}

// EnumerationExpiration is InvalidExpirationTime of an enumeration.
func EnumerationExpiration(format string, args ...any) *Fault {
	return enumeration("InvalidExpirationTime", 0x80338016).fault(format, args)
}

// EnumerationTimedOut says that a Pull found nothing within its MaxTime.
func EnumerationTimedOut(format string, args ...any) *Fault {
	return enumeration("TimedOut", 0x8033801C).receiver().fault(format, args)
}

// NotUnderstood is the fault for headers that must be understood and are not.
func NotUnderstood(headers []QName) *Fault {
	return &Fault{
		Code: MustUnderstand, Action: ActionFaultAddressing, NotUnderstood: headers, WSManCode: 0x80338010,
		Reason: "a header that must be understood is not",
	}
}

// SOAPVersion is the fault for an envelope that is not SOAP 1.2.
func SOAPVersion(format string, args ...any) *Fault {
	f := row{VersionMismatch, "", "", ActionFaultAddressing, "", 0x8033800D}.fault(format, args)
	return f
}

// DeliveryModeUnavailable is DeliveryModeRequestedUnavailable of a subscription.
func DeliveryModeUnavailable(format string, args ...any) *Fault {
	return eventing("DeliveryModeRequestedUnavailable", "", 0x8033801E).fault(format, args)
}

// SubscriptionExpiration is InvalidExpirationTime of a subscription.
func SubscriptionExpiration(format string, args ...any) *Fault {
	return eventing("InvalidExpirationTime", "", 0x8033801F).fault(format, args)
}

// FilteringUnavailable is FilteringRequestedUnavailable of a subscription: the
// dialect is not served, or with DetailFiltering a filter is missing.
func FilteringUnavailable(detail, format string, args ...any) *Fault {
	n := detailed(map[string]uint32{DetailFiltering: 0x8033804F}, detail, 0x80338022)
	return eventing("FilteringRequestedUnavailable", detail, n).fault(format, args)
}

// SourceUnableToProcess is EventSourceUnableToProcess: what was subscribed to
// sends no events.
func SourceUnableToProcess(format string, args ...any) *Fault {
	return eventing("EventSourceUnableToProcess", "", 0x80338023).receiver().fault(format, args)
}

// UnableToRenew refuses to renew a subscription.
func UnableToRenew(format string, args ...any) *Fault {
	return eventing("UnableToRenew", "", 0x80338024).receiver().fault(format, args)
}

// InvalidEventMessage is InvalidMessage: a message about a subscription is wrong.
func InvalidEventMessage(format string, args ...any) *Fault {
	return eventing("InvalidMessage", "", 0x80338025).fault(format, args)
}

// CannotProcessEventFilter refuses the filter of a subscription that is wrong or
// too much.
func CannotProcessEventFilter(format string, args ...any) *Fault {
	return management("CannotProcessFilter", "", 0x80338122).fault(format, args)
}

// InvalidBookmark refuses a bookmark: it is none of this service, or with
// DetailExpired what came after it is not known any more.
func InvalidBookmark(detail, format string, args ...any) *Fault {
	n := detailed(map[string]uint32{DetailExpired: 0x80338050}, detail, 0x80338038)
	return management("InvalidBookmark", detail, n).fault(format, args)
}
