import Foundation
import SolarImage

extension MagnetogramPair {
    /// What the headers of a pair tell of its making.
    struct Record {
        let high: Magnetogram, low: Magnetogram
        let frame: CropFrame
        let figures: MagnetogramPairFigures
        let options: Options

        /// - Parameters:
        ///   - field: HMI's, on the finer grid.
        ///   - view: MDI's crop with the finer grid in its header.
        func high(_ field: Image, _ view: Magnetogram) -> Magnetogram {
            var pair = high
            pair.image = field
            pair.time = low.time
            pair.regions = high.regions + low.regions.filter { !high.regions.contains($0) }
            pair.header = high.header.seen(as: view.header)
            if let time = low.time, view.header.string("T_OBS").flatMap({ ObservationTime($0) }) == nil {
                pair.header.set("T_OBS", .string(time.description))
            }
            pair.header.updateStatistics(of: field)
            pair.header.setGauss()
            let moved =
                figures.isShifted ? figures.shift.map { String(format: ", shifted by %.3f, %.3f pixels onto MDI's field", $0[0], $0[1]) } : nil
            let turn = "rotated by \(minutes(0 - figures.timeDifference)) (Snodgrass 1983)"
            pair.header.addHistory(
                "sr \(programVersion) prepare: \(high.source.lastPathComponent) (\(name(high.time))) resampled onto \(place), \(options.scale) times "
                    + "finer, through heliographic coordinates, \(turn)\(moved ?? ""); world "
                    + "coordinates, observer and T_OBS are that file's. \(summary)")
            return pair
        }

        func low(_ crop: Magnetogram) -> Magnetogram {
            var pair = crop
            pair.header.setGain(options.factor ?? low.conditions.gain, of: low.instrument)
            pair.header.setGauss()
            pair.header.addHistory(
                "sr \(programVersion) prepare: \(place), as it is; paired with \(high.source.lastPathComponent) (\(name(high.time))), which is "
                    + "\(minutes(abs(figures.timeDifference))) \(figures.timeDifference < 0 ? "earlier" : "later"). \(summary)")
            return pair
        }

        private var place: String {
            let columns = "\(frame.x / options.scale) to \((frame.x + frame.width) / options.scale - 1)"
            let rows = "\(frame.y / options.scale) to \((frame.y + frame.height) / options.scale - 1)"
            return "columns \(columns), rows \(rows) (from 0) of \(low.source.lastPathComponent) with north up (\(name(low.time)))"
        }

        private var summary: String {
            let left = figures.residualShift.map { String(format: ", shift left %.3f, %.3f finer pixels", $0[0], $0[1]) } ?? ""
            return String(format: "Correlation %.4f, slope MDI/HMI %.4f", figures.correlation ?? .nan, figures.slopeThroughOrigin ?? .nan) + left
                + "."
        }

        private func name(_ time: ObservationTime?) -> String { time?.description ?? "no time" }

        private func minutes(_ minutes: Double) -> String { String(format: "%.2f minutes", minutes) }
    }
}

extension FITSHeader {
    /// The header of the same observation as it would be seen by another observer at another time: what tells where the pixels lie, from where and
    /// when they were seen, is that of `view`.
    fileprivate func seen(as view: FITSHeader) -> FITSHeader {
        var header = FITSHeader(cards.filter { !FITSHeader.tellsView($0.keyword) })
        for card in view.cards where FITSHeader.tellsView(card.keyword) { header.append(card) }
        return header
    }

    /// Beginnings of keywords: world coordinates with their alternatives, observer, time of observation, place and size of the disk.
    private static let view = [
        "WCS", "CTYPE", "CUNIT", "CRPIX", "CRVAL", "CDELT", "CROTA", "CRDER", "CSYER", "CSYSER", "PC1_", "PC2_", "CD1_", "CD2_", "PV1_", "PV2_",
        "LONPOLE",
        "LATPOLE", "RADESYS", "DSUN_", "OBS_", "RSUN_", "R_SUN", "CRLN_", "CRLT_", "HGLN_", "HGLT_", "CAR_ROT", "SOLAR_", "T_OBS", "DATE-OBS",
        "DATE_OBS",
        "DATE__OBS", "DATE-BEG", "DATE-AVG", "DATE-END", "TIME-OBS", "TIME_OBS", "IMSCL_MP", "XSCALE", "YSCALE", "FD_SCALE", "IM_SCALE", "DXB_IMG",
        "DYB_IMG", "CROP_RAD", "DPC_CROP", "FNDLMB", "R0", "X0", "Y0", "MDI_X0", "MDI_Y0", "CENTER_X", "CENTER_Y", "XCEN", "YCEN",
    ]

    private static func tellsView(_ keyword: String) -> Bool {
        view.contains { keyword.hasPrefix($0) }
    }

    /// Other units were converted when the file was read.
    fileprivate mutating func setGauss() {
        remove("_BUNIT")
        set("BUNIT", .string("Gauss"))
    }
}
