import Foundation
import Groundwork
import TensorCore

/// What of a model fine-tuning changes.
package struct Adaptation: Sendable, Codable, Equatable {
    /// Which of the network's own weights are trained beside the low-rank ones: never those that low-rank matrices adapt.
    package enum Unfrozen: String, Sendable, Codable, CaseIterable {
        /// The layers at the lowest resolution; what the paper unfreezes.
        case bottleneck
        case none
        case all
    }

    /// Rank of the matrices that adapt the projections of self-attention (Hu et al. 2022); 0 for none.
    package var rank: Int
    /// Their product is multiplied by alpha / rank.
    package var alpha: Float
    package var unfreeze: Unfrozen

    package init(rank: Int = 4, alpha: Float = 4, unfreeze: Unfrozen = .bottleneck) {
        (self.rank, self.alpha, self.unfreeze) = (rank, alpha, unfreeze)
    }

    func check(_ check: Check) throws {
        try check((0...1024).contains(rank), "a rank of 0 … 1024", rank)
        try check(alpha > 0 && alpha.isFinite, "an alpha of more than 0", alpha)
        try check(rank > 0 || unfreeze != .none, "something to train: a rank above 0, or unfrozen weights", "rank 0 and none unfrozen")
    }
}

extension Model {
    /// Gives the network of a diffusion model adapters.
    /// - Parameter seed: of their initial values, which change nothing.
    /// - Returns: what is to be trained: the adapters, and the unfrozen weights of the network.
    /// - Throws: `Failure`: `.badData` if it is no diffusion model, `.usage` if nothing is to be trained: a network on pixels may have no attention.
    package func adapt(_ adaptation: Adaptation, seed: UInt64) throws -> ParameterStore {
        let network = try adaptableNetwork()
        let adapters =
            adaptation.rank == 0
            ? ParameterStore()
            : networkStore.addAdapters(rank: adaptation.rank, alpha: adaptation.alpha, seed: seed, where: network.isAttentionProjection)
        let unfrozen = networkStore.subset { name in
            // The same weights learned twice over would have two paces of learning.
            if adaptation.rank > 0, network.isAttentionProjection(name) { return false }
            return switch adaptation.unfreeze {
            case .bottleneck: network.isBottleneck(name)
            case .none: false
            case .all: true
            }
        }
        let trained = ParameterStore(joining: [("", adapters), ("", unfrozen)])
        guard !trained.parameters.isEmpty else {
            throw Failure(.usage, "nothing of the network is adapted: it has no attention", remedy: "add --unfreeze bottleneck or --unfreeze all")
        }
        return trained
    }

    /// The network that adapters belong in.
    /// - Throws: `Failure` (`.badData`) if there is none.
    func adaptableNetwork() throws -> NetworkConfiguration {
        guard let network = description.system.diffusion?.network else {
            throw Failure(.badData, "the model takes no adapter", expected: "a diffusion model", found: kind.rawValue)
        }
        return network
    }
}
