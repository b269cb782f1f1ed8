/// Means of what is logged, since the last line.
struct TrainingSums: Codable {
    private struct Value: Codable {
        var sum = 0.0
        var count = 0
    }

    private var values: [String: Value] = [:]

    mutating func add(parts: [String: Double]) {
        for (key, value) in parts {
            values[key, default: Value()].sum += value
            values[key, default: Value()].count += 1
        }
    }

    /// Adds another rank's.
    mutating func add(_ other: TrainingSums) {
        for (key, value) in other.values {
            values[key, default: Value()].sum += value.sum
            values[key, default: Value()].count += value.count
        }
    }

    var means: [String: Double] { values.mapValues { $0.sum / Double($0.count) } }
    var mean: Double { means["loss"] ?? .nan }
}
