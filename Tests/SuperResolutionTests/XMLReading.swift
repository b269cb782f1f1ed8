import Foundation
import Testing

#if canImport(FoundationXML)
    import FoundationXML
#endif

/// A document as an XML parser reads it, which refuses one that is not well-formed.
final class XMLReading: NSObject, XMLParserDelegate {
    struct Element {
        let name: String
        let attributes: [String: String]
        /// All text within.
        var text = ""
    }

    /// In the order in which they begin.
    private(set) var elements: [Element] = []
    /// Places of those that have not ended yet.
    private var open: [Int] = []

    init(_ document: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        super.init()
        let parser = XMLParser(data: Data(document.utf8))
        parser.delegate = self
        let isWellFormed = parser.parse()
        let problem = parser.parserError.map { "\($0)" } ?? "no error"
        try #require(isWellFormed, "line \(parser.lineNumber): \(problem)", sourceLocation: sourceLocation)
    }

    subscript(name: String) -> [Element] { elements.filter { $0.name == name } }

    func parser(
        _ parser: XMLParser, didStartElement elementName: String, namespaceURI: String?, qualifiedName: String?,
        attributes attributeDict: [String: String] = [:]
    ) {
        open.append(elements.count)
        elements.append(Element(name: elementName, attributes: attributeDict))
    }

    func parser(_ parser: XMLParser, didEndElement elementName: String, namespaceURI: String?, qualifiedName: String?) { open.removeLast() }

    func parser(_ parser: XMLParser, foundCharacters string: String) {
        for place in open { elements[place].text += string }
    }
}
