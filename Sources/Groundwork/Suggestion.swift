/// The known word that a mistyped one probably stands for; nil if none is near.
package func suggestion(for word: String, among known: [String]) -> String? {
    let nearest = known.map { ($0, editDistance(word, $0)) }.min { $0.1 < $1.1 }
    return nearest.flatMap { $0.1 <= max(2, word.count / 3) ? $0.0 : nil }
}

/// Insertions, deletions and replacements between two words (Levenshtein 1966).
private func editDistance(_ a: String, _ b: String) -> Int {
    let b = Array(b)
    var row = Array(0...b.count)
    for (i, letter) in a.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for j in b.indices {
            let replaced = diagonal + (letter == b[j] ? 0 : 1)
            diagonal = row[j + 1]
            row[j + 1] = min(replaced, row[j + 1] + 1, row[j] + 1)
        }
    }
    return row[b.count]
}

extension Failure {
    /// A key that a configuration does not have.
    /// - Parameters:
    ///   - key: with the keys that it stands under before it, as `network.unet.width`.
    ///   - known: the keys that might stand in its place, without those.
    package static func unknownKey(_ key: String, known: [String], at location: String) -> Failure {
        let parents = key.lastIndex(of: ".").map { key[...$0] } ?? ""
        let nearest = suggestion(for: String(key.dropFirst(parents.count)), among: known)
        return Failure(
            .configuration, "unknown key \(key)", at: location,
            remedy: nearest.map { "did you mean \(parents)\($0)?" } ?? "known keys are \(Set(known).sorted().joined(separator: ", "))")
    }
}
