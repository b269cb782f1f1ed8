/// An error that a user can act on: what went wrong, where, what was expected, what was found, and what to do about it.
///
/// Every error that user data can cause is a `Failure`. Programming errors (a kernel called with shapes that cannot work) are preconditions instead.
public struct Failure: Error, Sendable, Equatable {
    /// What kind of failure it is; the command line gives each kind its own exit status.
    public enum Category: Sendable, Equatable {
        /// The options given contradict each other or ask for what is not there.
        case usage
        /// A file or its contents cannot be used: unreadable FITS, contradictory keywords, a corrupt model.
        case badData
        /// An input path does not exist.
        case missingInput
        /// Training produced values that are not finite.
        case diverged
        /// An output exists already or cannot be written.
        case cannotWrite
        /// A configuration file or a value in it is not valid.
        case configuration
        /// The user asked to stop; what could be saved was saved.
        case interrupted
        /// Anything else.
        case other
    }

    public var category: Category
    /// One sentence without a full stop, such as "the image has 3 dimensions".
    public var problem: String
    /// The file, and within it the HDU, keyword, tensor or line.
    public var location: String?
    public var expected: String?
    public var found: String?
    /// What the user can do.
    public var remedy: String?

    public init(
        _ category: Category, _ problem: String, at location: String? = nil, expected: String? = nil, found: String? = nil, remedy: String? = nil
    ) {
        self.category = category
        self.problem = problem
        self.location = location
        self.expected = expected
        self.found = found
        self.remedy = remedy
    }
}

extension Failure: CustomStringConvertible {
    /// The whole message: `location: problem (expected …, found …); remedy`.
    public var description: String {
        var text = location.map { "\($0): " } ?? ""
        text += problem
        let facts = [expected.map { "expected \($0)" }, found.map { "found \($0)" }].compactMap(\.self)
        if !facts.isEmpty { text += " (\(facts.joined(separator: ", ")))" }
        if let remedy { text += "; \(remedy)" }
        return text
    }
}

extension Failure {
    /// The same, with a place if it had none.
    package func located(at location: String) -> Failure {
        var failure = self
        failure.location = failure.location ?? location
        return failure
    }
}
