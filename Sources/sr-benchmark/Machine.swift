import Foundation
import Groundwork
import TensorCore

/// What the benchmarks run on: their first line.
struct Machine: Codable, CustomStringConvertible {
    let processor: String
    /// Of products of networks: ``ProductKernel``.
    let kernels: String
    /// OpenBLAS's, by the name of a processor.
    let openBLAS: String
    let threads: Int

    init() {
        let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.split(separator: "\n") ?? []
        func field(_ name: String) -> String? {
            lines.first { $0.hasPrefix(name) }?.split(separator: ":", maxSplits: 1).last.map { $0.trimmingCharacters(in: .whitespaces) }
        }
        // Virtual machines often hide the name; family and model tell more.
        let numbers = [field("cpu family").map { "family \($0)" }, field("model\t").map { "model \($0)" }].compactMap(\.self)
        processor = ([field("model name") ?? "unknown"] + numbers).joined(separator: ", ")
        kernels = ProductKernel.current.description
        openBLAS = OpenBLAS.kernels
        threads = Parallel.threadCount
    }

    private enum CodingKeys: String, CodingKey {
        case processor, kernels, threads
        case openBLAS = "openblas_kernels"
    }

    var description: String { "\(processor); \(threads) threads; product kernels \(kernels); OpenBLAS kernels \(openBLAS)" }
}
