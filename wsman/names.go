// Package wsman is the vocabulary of WS-Management (DSP0226) and its CIM binding
// (DSP0227): namespaces, actions, resource URIs, endpoint references and faults.
// It does no I/O and knows no XML.
package wsman

// XML namespaces. The comments name the prefix that specifications and this
// project's messages use.
const (
	NSSOAP        = "http://www.w3.org/2003/05/soap-envelope"                         // s
	NSSOAP11      = "http://schemas.xmlsoap.org/soap/envelope/"                       // refused
	NSAddressing  = "http://schemas.xmlsoap.org/ws/2004/08/addressing"                // a
	NSWSMan       = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"                  // w
	NSMicrosoft   = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"             // msftwinrm
	NSEnumeration = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"               // n
	NSTransfer    = "http://schemas.xmlsoap.org/ws/2004/09/transfer"                  // x
	NSEventing    = "http://schemas.xmlsoap.org/ws/2004/08/eventing"                  // e
	NSBinding     = "http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd"             // b
	NSCommon      = "http://schemas.dmtf.org/wbem/wscim/1/common"                     // cim
	NSIdentity    = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd" // wsmid
	NSWSManFault  = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"            // f
	NSXSI         = "http://www.w3.org/2001/XMLSchema-instance"                       // xsi
	NSXML         = "http://www.w3.org/XML/1998/namespace"                            // xml
	NSTwinlun     = "urn:twinlun:wsman:1"                                             // our own header, see HeaderReason
	NSCIMError    = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_Error"     // class of fault details
	Anonymous     = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous" // address of who asks
	ProtocolURI   = NSWSMan                                                           // version that Identify names
	NoRelation    = "http://schemas.xmlsoap.org/ws/2004/08/addressing/id/unspecified" // RelatesTo of faults for messages without an id
	nsActionBase  = "http://schemas.dmtf.org/wbem/wsman/1/wsman/"                     // actions and details of DSP0226
	ActionEnd     = "http://schemas.microsoft.com/wbem/wsman/1/wsman/End"             // closes a full duplex exchange: answered 204
	ActionAckMS   = "http://schemas.microsoft.com/wbem/wsman/1/wsman/Acknowledge"     // likewise
	FullDuplexURI = "http://schemas.microsoft.com/wbem/wsman/1/wsman/FullDuplex"      // resource of ActionEnd
)

// HeaderReason is the local name, in NSTwinlun, of the header that says in words
// why a method's ReturnValue is not success.
const HeaderReason = "Reason"

// Actions of requests (DSP0226). The action of an answer is that of its request
// with ResponseSuffix; the action of a method call is the class URI and the name.
const (
	ActionGet         = NSTransfer + "/Get"
	ActionPut         = NSTransfer + "/Put"
	ActionCreate      = NSTransfer + "/Create"
	ActionDelete      = NSTransfer + "/Delete"
	ActionEnumerate   = NSEnumeration + "/Enumerate"
	ActionPull        = NSEnumeration + "/Pull"
	ActionRelease     = NSEnumeration + "/Release"
	ActionRenew       = NSEnumeration + "/Renew"
	ActionGetStatus   = NSEnumeration + "/GetStatus"
	ActionSubscribe   = NSEventing + "/Subscribe"
	ActionUnsubscribe = NSEventing + "/Unsubscribe"

	// Of subscriptions, whose enumeration has actions of the same names.
	ActionRenewSubscription  = NSEventing + "/Renew"
	ActionSubscriptionStatus = NSEventing + "/GetStatus"

	ResponseSuffix = "Response"
)

// Actions of what an event source sends by itself, and of what it gets in answer
// (DSP0226 section 10).
const (
	ActionEvent           = nsActionBase + "Event"
	ActionEvents          = nsActionBase + "Events"
	ActionHeartbeat       = nsActionBase + "Heartbeat"
	ActionDroppedEvents   = nsActionBase + "DroppedEvents"
	ActionAck             = nsActionBase + "Ack"
	ActionSubscriptionEnd = NSEventing + "/SubscriptionEnd"
)

// Delivery modes of subscriptions (DSP0226 section 10.2.9).
const (
	DeliveryPush        = NSEventing + "/DeliveryModes/Push"
	DeliveryPushWithAck = nsActionBase + "PushWithAck"
	DeliveryEvents      = nsActionBase + "Events"
	DeliveryPull        = nsActionBase + "Pull"
)

// BookmarkEarliest is the bookmark before everything that is still known (DSP0226
// section 10.2.6).
const BookmarkEarliest = nsActionBase + "bookmark/earliest"

// Reasons of a SubscriptionEnd (WS-Eventing section 3.5).
const (
	EndDeliveryFailure = NSEventing + "/DeliveryFailure"
	EndShuttingDown    = NSEventing + "/SourceShuttingDown"
	EndCancelled       = NSEventing + "/SourceCanceling"
)

// Security profiles (DSP0226 annex C), and where the credentials of a delivery
// are: the header IssuedTokens of WS-Trust with a token of WS-Security.
const (
	ProfileHTTPBasic  = nsActionBase + "secprofile/http/basic"
	ProfileHTTPSBasic = nsActionBase + "secprofile/https/basic"
	NSTrust           = "http://schemas.xmlsoap.org/ws/2005/02/trust"
	NSSecurity        = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
)

// Actions of faults, by the specification that names the subcode.
const (
	ActionFaultAddressing  = NSAddressing + "/fault"
	ActionFaultWSMan       = nsActionBase + "fault"
	ActionFaultEnumeration = NSEnumeration + "/fault"
	ActionFaultEventing    = NSEventing + "/fault"
	ActionFaultTransfer    = NSTransfer + "/fault"
)

// Filter dialects. They are compared regardless of case and of blanks around.
const (
	DialectWQL         = "http://schemas.microsoft.com/wbem/wsman/1/WQL"
	DialectCQL         = "http://schemas.dmtf.org/wbem/cql/1/dsp0202.pdf"
	DialectAssociation = "http://schemas.dmtf.org/wbem/wsman/1/cimbinding/associationFilter"
	DialectSelector    = "http://schemas.dmtf.org/wbem/wsman/1/wsman/SelectorFilter"
	DialectXPath       = "http://www.w3.org/TR/1999/REC-xpath-19991116"
)

// Values of w:EnumerationMode; an absent mode asks for objects.
const (
	ModeEPR          = "EnumerateEPR"
	ModeObjectAndEPR = "EnumerateObjectAndEPR"
)

// Values of b:PolymorphismMode (DSP0227); an absent mode is the first.
const (
	PolymorphismInclude = "IncludeSubClassProperties" // instances are as they are
	PolymorphismExclude = "ExcludeSubClassProperties" // they show what the class asked for declares
	PolymorphismNone    = "None"                      // subclasses have no part in it
)

// Selectors that are no keys (DSP0227 sections 5.3 and 7).
const (
	SelectorNamespace = "__cimnamespace"
	SelectorClassName = "ClassName"
)

// Options that clients send with GetClass, without the prefix "wmi:" that some put
// before them.
const (
	OptionClassOrigin = "IncludeClassOrigin"
	OptionHierarchy   = "IncludeInheritanceHierarchy"
	OptionInherited   = "IncludeInheritedElements"
	OptionQualifiers  = "IncludeQualifiers"
)

// QName is a qualified XML name.
type QName struct{ Space, Local string }
