import Groundwork
import VectorKernels

/// A running average of parameters: average ← decay·average + (1 − decay)·value.
public final class ExponentialMovingAverage {
    public let decay: Float
    private let parameters: [Parameter]
    private let places: [ObjectIdentifier: Int]
    /// The averages, in the order of the parameters.
    public package(set) var averages: [Tensor]

    public init(_ parameters: [Parameter], decay: Float) {
        (self.parameters, self.decay) = (parameters, decay)
        averages = parameters.map { $0.value.copied() }
        places = Dictionary(uniqueKeysWithValues: parameters.enumerated().map { (ObjectIdentifier($1), $0) })
    }

    /// Follows the parameters as they are now. ``AdamW/update(_:scale:average:decay:)`` does so in its own pass.
    public func update() {
        for index in parameters.indices { follow(index, fraction: 1 - decay) }
    }

    /// Where the average of a parameter stands among ``averages``.
    func place(of parameter: Parameter) -> Int {
        guard let place = places[ObjectIdentifier(parameter)] else { preconditionFailure("ExponentialMovingAverage: no average of that parameter") }
        return place
    }

    func follow(_ index: Int, fraction: Float) {
        averages[index].makeUnique()
        let (target, value) = (averages[index].pointer, parameters[index].value)
        Parallel.forEachBlock(of: value.count, size: elementwiseBlock) { block in
            vector_interpolate(block.count, value.pointer + block.lowerBound, fraction, target + block.lowerBound)
        }
    }

    /// Runs `body` with the averages in the place of the parameters' values.
    public func withAverages<Result>(_ body: () throws -> Result) rethrows -> Result {
        let values = parameters.map(\.value)
        for (parameter, average) in zip(parameters, averages) { parameter.value = average }
        defer { for (parameter, value) in zip(parameters, values) { parameter.value = value } }
        return try body()
    }
}
