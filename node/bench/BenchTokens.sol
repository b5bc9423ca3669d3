// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC1155} from "@openzeppelin/contracts/token/ERC1155/ERC1155.sol";

/// What load is made of: the usual tokens, with minting open to anyone. Their state is written into block 0, so
/// constructors do not run; balances of both lie in slot 0.
contract BenchCoin is ERC20 {
    constructor() ERC20("Coin", "COIN") {}
}

contract BenchItems is ERC1155 {
    constructor() ERC1155("") {}

    function mint(address to, uint256 id, uint256 value, bytes calldata data) external {
        _mint(to, id, value, data);
    }

    function mintBatch(address to, uint256[] calldata ids, uint256[] calldata values, bytes calldata data) external {
        _mintBatch(to, ids, values, data);
    }
}
