/// Ends the program where a caller broke a rule, saying which: in this module in the place of the standard library's function, which says nothing in optimised
/// builds.
@inline(__always)
func precondition(_ holds: @autoclosure () -> Bool, _ message: @autoclosure () -> String, file: StaticString = #fileID, line: UInt = #line) {
    if !holds() { fatalError(message(), file: file, line: line) }
}
