import Foundation
import Logging
import SolarImage
import SuperResolution

/// Which model an input is super-resolved by: the one that the user gives, or else the bundled one for its instrument.
struct ModelChoice {
    private let given: SuperResolutionProduct?
    private var bundled: [URL: SuperResolutionProduct] = [:]
    private let adapter: URL?
    private let options: SuperResolutionProduct.Options
    private let logger: Logger

    /// - Throws: `Failure` for a model that cannot be used, or not with these options.
    init(_ model: URL?, adapter: URL?, options: SuperResolutionProduct.Options, logger: Logger) throws {
        (self.adapter, self.options, self.logger) = (adapter, options, logger)
        given = try model.map { try SuperResolutionProduct(model: $0, adapter: adapter, logger: logger) }
        try given?.check(options)
    }

    /// - Throws: `Failure` for an input whose header cannot be read, and for a bundled model that cannot be used with the options.
    mutating func product(for input: URL) throws -> SuperResolutionProduct {
        if let given { return given }
        let model = try BundledModels.superResolution(for: Instrument(of: input))
        if let known = bundled[model] { return known }
        let product = try SuperResolutionProduct(model: model, adapter: adapter, logger: logger)
        try product.check(options)
        logger.info("\(input.lastPathComponent): bundled model \(model.deletingPathExtension().lastPathComponent)")
        bundled[model] = product
        return product
    }
}
