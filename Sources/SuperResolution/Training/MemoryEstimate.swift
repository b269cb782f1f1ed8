import Foundation
import Groundwork
import TensorCore

/// What a run will need of memory, known before its first step.
package struct MemoryEstimate {
    /// Bytes of tensors at most: weights, gradients, the optimisers' moments, averages, and what the loss of a micro-batch keeps for its gradient.
    package let tensors: Int
    /// Bytes that the process holds beside them, or will: program, magnetograms as far as they are kept.
    package let others: Int

    /// Refuses a run that will not fit.
    /// - Parameter limit: bytes that the process may hold.
    /// - Throws: `Failure` (`.configuration`)
    package func check(limit: Int, _ configuration: TrainingConfiguration) throws {
        guard tensors + others > limit else { return }
        func text(_ bytes: Int) -> String { String(format: "%.1f GiB", Double(bytes) / Double(1 << 30)) }
        let crops = configuration.microBatch ?? configuration.batchSize
        throw Failure(
            .configuration, "training will not fit into memory", expected: "at most \(text(limit)), which the process may have",
            found: "about \(text(tensors + others)) for \(crops) crops of \(configuration.cropSize) × \(configuration.cropSize)",
            remedy: crops > 1 ? "give a smaller --micro-batch, or a smaller --crop-size" : "give a smaller --crop-size or network")
    }
}

extension Trainer {
    /// Measures loss and gradient at two small sizes, from which memory grows with the pixels of a micro-batch, and adds what the optimisers hold.
    /// - Throws: `Failure` if a file can no longer be read.
    package func memoryEstimate() throws -> MemoryEstimate {
        let (side, batch) = (configuration.cropSize, configuration.microBatch ?? configuration.batchSize)
        // Of one crop, smaller ones where these are large and the networks take them; else of one and two.
        var sizes = [64, 128].map { (side: $0, batch: 1) }
        if side <= 128 || !sizes.allSatisfy({ (try? smaller($0.side, $0.batch)) != nil }) { sizes = [(side, 1), (side, 2)] }
        let measured = try sizes.map { try peak(try smaller($0.side, $0.batch)) }
        let pixels = sizes.map { Double($0.side * $0.side * $0.batch) }
        let slope = max(0, Double(measured[1] - measured[0]) / (pixels[1] - pixels[0]))
        let growth = slope * (Double(side) * Double(side) * Double(batch) - pixels[1])
        // Beside values and gradient, which are measured: averages, two moments, sums of gradients that wait for others (see TreeSum), and what ranks send.
        let sums = Int.bitWidth - 1 - MicroBatches(configuration).parts.count.leadingZeroBitCount
        let state = task.store.count * MemoryLayout<Float>.size * (3 + sums + ((configuration.ranks ?? 1) > 1 ? 2 : 0))
        // One generation is in use while the next is encoded.
        let pool = model.factor > 1 ? configuration.latentCrops * 2 * 2 * model.latentChannels * 4 * side * side / (model.factor * model.factor) : 0
        return MemoryEstimate(
            tensors: Int(min(1e18, max(0, Double(measured[1]) + growth))) + state + pool * MemoryLayout<Float>.size + (try cropsAhead()),
            others: max(0, Memory.peak - StoragePool.peakBytes) + max(0, mostKept - training.store.keptBytes))
    }

    /// Bytes of magnetograms that are kept at most.
    private var mostKept: Int {
        let all = [training, validation].compactMap(\.self).flatMap(\.entries).reduce(0) { sum, entry in
            let pixels = entry.width * entry.height
            return sum + pixels + (entry.pairScale.map { pixels / ($0 * $0) } ?? 0)
        }
        return min(training.store.memory.bytes, all * MemoryLayout<Float>.size)
    }

    /// Bytes of tensors for the crops that are made ready ahead: field, mask and low resolution of some batches, or what encoding on all threads takes, by that of a
    /// small crop.
    private func cropsAhead() throws -> Int {
        let side = configuration.cropSize
        guard model.diffusion != nil, configuration.latentCrops > 0, configuration.overfit == 0 else {
            return batchesAhead * configuration.batchSize * 3 * side * side * MemoryLayout<Float>.size
        }
        let small = 128
        let encoder = try LatentEncoder(model, training, isTraining: true, statistics: nil)
        let before = StoragePool.usedBytes
        StoragePool.resetPeak()
        _ = try Tape.withoutRecording { try encoder(training.fixedCrops(1, size: small, seed: 0)[0]) }
        let pixels = Double(StoragePool.peakBytes - before) / Double(small * small)
        return Int(min(1e18, pixels * Double(4 * side * side) * Double(Parallel.threadCount)))
    }

    /// The task with other crops, on the same model.
    /// - Throws: `Failure` for crops that it does not take.
    private func smaller(_ side: Int, _ batch: Int) throws -> any TrainingTask {
        var small = configuration
        (small.cropSize, small.batchSize, small.latentCrops, small.overfit) = (side, batch, 0, 0)
        small.microBatch = nil
        try small.validate()
        if task is DiffusionTraining {
            return try DiffusionTraining(small, model: model, store: task.store, base: "", training: training, validation: nil)
        }
        return try Self.task(small, model: model, training: training, validation: nil, cache: nil)
    }

    /// The most bytes of tensors while a loss and its gradient are computed. Running statistics that follow batches are put back.
    private func peak(_ task: any TrainingTask) throws -> Int {
        let before = (values: task.store.parameters.map(\.value), buffers: task.store.buffers.map(\.value))
        StoragePool.resetPeak()
        // At a step when all terms count.
        _ = try valueWithGradient(at: task.store.parameters) { try task.loss(batch: 1 << 30).loss }
        for (parameter, value) in zip(task.store.parameters, before.values) { parameter.value = value }
        for (buffer, value) in zip(task.store.buffers, before.buffers) { buffer.value = value }
        return StoragePool.peakBytes
    }
}
