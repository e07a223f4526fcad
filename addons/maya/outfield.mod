+ MAYAVERSION:2022 outfield 0.1.0 outfield
+ MAYAVERSION:2023 outfield 0.1.0 outfield
+ MAYAVERSION:2024 outfield 0.1.0 outfield
+ MAYAVERSION:2025 outfield 0.1.0 outfield
+ MAYAVERSION:2026 outfield 0.1.0 outfield
