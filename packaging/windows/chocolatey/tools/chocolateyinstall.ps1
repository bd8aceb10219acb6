$ErrorActionPreference = 'Stop'
$arguments = @{
  packageName    = 'ipcguard'
  fileType       = 'msi'
  url64bit       = '@URL@/@MSI@'
  checksum64     = '@SHA256@'
  checksumType64 = 'sha256'
  silentArgs     = '/qn /norestart'
  validExitCodes = @(0, 3010)
  softwareName   = 'ipcguard*'
}
Install-ChocolateyPackage @arguments
