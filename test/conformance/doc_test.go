// Package conformance checks the built daemon against what was agreed on WS-Management
// and against what clients send. It talks HTTP over bare connections and reads the
// answers with encoding/xml: nothing of ours is between the test and the wire.
//
// # Scenarios
//
// TestScenarios is the list of the interoperability workshop of 2006, whose first
// implementations agreed on 21 exchanges; they are numbered by the sections of its
// document. Its classes were those of a machine's management controller. What this
// system does not have is stood in for:
//
//	no.   scenario                                     here
//	6.1   Identify                                     the same
//	6.2   Get of a CIM_ComputerSystem                  the same
//	6.3   Get with an invalid resource URI             the same
//	6.4   Get of what is larger than MaxEnvelopeSize   a setting with a long description for the numeric sensor
//	6.5   Get with too few selectors                   a volume for the numeric sensor
//	6.6   Get that takes longer than OperationTimeout  a time in which nothing can be done: no Get here is slow
//	6.7   fragment Get                                 OperationalStatus for Roles
//	7.1   Enumerate and Pull                           volumes for numeric sensors
//	7.2   optimized Enumerate                          likewise
//	7.3   Pull with an invalid context                 likewise
//	7.4   Enumerate, objects with their references     likewise
//	7.5   Enumerate with an XPath filter               SyncType of replicas for SensorType
//	8.1   Invoke of a method without parameters        GetErrors of a job for ClearLog of a RecordLog
//	9.1   Put                                          ElementName of a volume for a sensor's threshold
//	9.2   fragment Put                                 likewise
//	10.1  Subscribe, Pull, Unsubscribe                 CIM_InstCreation for a test's event source
//	10.2  Subscribe in mode Push                       likewise
//	10.3  mode PushWithAck                             likewise
//	10.4  mode Events, with batches                    likewise
//	10.5  heartbeats                                   likewise
//	10.6  Renew, expiration and SubscriptionEnd        likewise
//
// The document numbers eventing as one section, 10. Its exchanges other than Pull are
// not in any public implementation of the list: 10.2 to 10.6 are what DSP0226 section
// 10 has beside it.
//
// # Replay
//
// TestReplay sends what three families of clients were seen to send: each file of
// testdata/FAMILY is one of their requests, rewritten for this system, with what it
// must be answered. The shapes are theirs (header lines and their order, blocks and
// their order, prefixes, what must be understood, options, quirks); classes, keys and
// hosts are ours. What a whole family has in common is in its layout.xml.
package conformance
