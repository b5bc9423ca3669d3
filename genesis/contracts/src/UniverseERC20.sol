// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Burnable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import {ERC20Capped} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Capped.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {UniverseTemplate} from "./UniverseTemplate.sol";

/// @title A universe's currency
/// @notice ERC-20 with permit (ERC-2612), burning by holders, and a cap on what circulates.
contract UniverseERC20 is ERC20Capped, ERC20Burnable, ERC20Permit, UniverseTemplate {
    uint8 private immutable _decimals;

    /// An ERC-20 has no ids: MintItem.id must be 0.
    error InvalidId(uint256 id);

    /// @dev cap_ 0: none, which `cap()` tells as 2^256 - 1.
    constructor(string memory name_, string memory symbol_, uint8 decimals_, uint256 cap_, address admin, address minter)
        ERC20(name_, symbol_)
        ERC20Capped(cap_ == 0 ? type(uint256).max : cap_)
        ERC20Permit(name_)
        UniverseTemplate(admin, minter)
    {
        _decimals = decimals_;
    }

    function decimals() public view override returns (uint8) {
        return _decimals;
    }

    function mint(bytes32 referenceId, address to, uint256 amount) external onlyRole(MINTER_ROLE) {
        _requireMoving();
        _useReference(referenceId, to);
        _mint(to, amount);
    }

    function mintBatch(MintItem[] calldata items) external onlyRole(MINTER_ROLE) {
        _requireMoving();
        for (uint256 i = 0; i < items.length; ++i) {
            MintItem calldata item = items[i];
            if (item.id != 0) revert InvalidId(item.id);
            _useReference(item.referenceId, item.to);
            _mint(item.to, item.amount);
        }
    }

    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IERC20).interfaceId || interfaceId == type(IERC20Metadata).interfaceId
            || interfaceId == type(IERC20Permit).interfaceId || super.supportsInterface(interfaceId);
    }

    /// @dev Mints were let through before.
    function _update(address from, address to, uint256 value) internal override(ERC20, ERC20Capped) {
        if (from != address(0)) _requireMoving();
        super._update(from, to, value);
    }
}
