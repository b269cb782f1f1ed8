/// A low-rank addition to a weight W `[outputs, inputs]` (LoRA, Hu et al. 2022): a network computes with W + alpha / rank · B·A. Fine-tuning trains A
/// and B, far fewer values than W has, and leaves W as it is.
///
/// It is carried by W's ``Parameter``, whose ``Parameter/tensor`` then gives the sum: networks need not know of it.
public struct LowRankAdapter: Sendable {
    /// A, `[rank, inputs]`; before training as PyTorch's Linear, uniform in ±1/√inputs.
    public let down: Parameter
    /// B, `[outputs, rank]`; zero before training, so that nothing changes.
    public let up: Parameter
    /// alpha / rank
    public let scale: Float

    /// - Parameters:
    ///   - shape: of W
    ///   - scope: of the layer: A becomes its `lora_A.weight`, B its `lora_B.weight`.
    fileprivate init(rank: Int, alpha: Float, shape: [Int], in scope: Scope) {
        precondition(shape.count == 2 && rank > 0, "LowRankAdapter: rank \(rank) for a weight of shape \(shape), not [outputs, inputs]")
        down = (scope / "lora_A").parameter("weight", [rank, shape[1]], .uniform(bound: 1 / Float(shape[1]).squareRoot()))
        up = (scope / "lora_B").parameter("weight", [shape[0], rank], .constant(0))
        scale = alpha / Float(rank)
    }

    /// W + alpha / rank · B·A
    func applied(to weight: Tensor) -> Tensor { weight + matmul(up.tensor, down.tensor) * scale }
}

extension Parameter {
    /// Adds the adapter to the value for good and drops it.
    public func mergeAdapter() {
        value = Tape.withoutRecording { tensor }
        adapter = nil
    }
}

extension ParameterStore {
    /// Gives an adapter to each parameter that `isAdapted` picks by its name; these must have two dimensions.
    ///
    /// The weights' own store stays as it was. ``Parameter/tensor`` of its parameters gives the adapted weights, as to save a network that needs no
    /// adapters.
    /// - Returns: the adapters' parameters, under PEFT's names: for `x.weight`, `x.lora_A.weight` and `x.lora_B.weight`. Likewise, for
    ///   `mha.in_proj_weight`, `mha.in_proj.lora_A.weight`, and so on; there PEFT, which wraps PyTorch's MultiheadAttention whole, has
    ///   `mha.lora_A.weight`, and `mha.base_layer.out_proj.lora_A.weight` for `mha.out_proj.weight`.
    public func addAdapters(rank: Int, alpha: Float, seed: UInt64, where isAdapted: (String) -> Bool) -> ParameterStore {
        let adapters = ParameterStore(seed: seed)
        for (name, parameter) in zip(names, parameters) where isAdapted(name) {
            precondition(parameter.adapter == nil, "addAdapters: \(name) has an adapter")
            let isWeight = name.hasSuffix(".weight") || name.hasSuffix("_weight")
            let layer = isWeight ? String(name.dropLast("_weight".count)) : name
            parameter.adapter = LowRankAdapter(rank: rank, alpha: alpha, shape: parameter.value.shape, in: adapters.root / layer)
        }
        return adapters
    }

    /// Adds every adapter to its weight for good: the network computes what it did before, to rounding.
    public func mergeAdapters() {
        for parameter in parameters { parameter.mergeAdapter() }
    }
}
